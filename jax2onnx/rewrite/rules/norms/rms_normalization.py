"""Replace x / sqrt(mean(x^2) + epsilon) * scale by RMSNormalization(x) (opset 23).

Applies along one or several trailing axes, with the scale before or after the division.

Does not apply

- below opset 23, which has no RMSNormalization;
- to float64: RMSNormalization computes the mean square in float32;
- to axes of symbolic size where there is no scale.
"""

import onnx_ir as ir

from jax2onnx.rewrite.analyses.normalisation import epsilon, is_last, mean_square, products, scale
from jax2onnx.rewrite.analyses.values import is_single, rank
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace the expression around a Sqrt."""
    under = epsilon(node)
    found = None if under is None else mean_square(under[0])
    if under is None or found is None or not is_single(found[0]) or not is_last(found[1], found[0]):
        return False
    x, along = found
    for product in reversed(products(node)):
        gain = scale(editor, product, x, x, along) if x in product.factors else None
        if gain is not None:
            out = product.root.outputs[0]
            normalised = editor.before(product.root).RMSNormalization(
                x, gain, axis=along[0] - rank(x), epsilon=under[1], like=out
            )
            editor.replace(out, normalised)
            return True
    return False
