"""Replace x / sqrt(mean(x^2) + epsilon) * scale by RMSNormalization(x) (opset 23).

Applies along one or several trailing axes, with the scale before or after the division.

Does not apply

- below opset 23, which has no RMSNormalization;
- to float64: RMSNormalization computes the mean square in float32;
- to axes of symbolic size where there is no scale.
"""

import numpy as np
import onnx_ir as ir

from jax2onnx.rewrite.analyses.normalisation import affine, epsilon, is_last, mean_square, products
from jax2onnx.rewrite.analyses.values import dims, is_single, kept, rank
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace the expression around a Sqrt."""
    under = epsilon(node)
    found = None if under is None else mean_square(under[0])
    if under is None or found is None or not is_single(found[0]) or not is_last(found[1], found[0]):
        return False
    x, along = found
    shape = dims(x)[along[0] :]
    for product in reversed(products(node)):
        scales = list(product.factors)
        if (
            x not in scales
            or not kept(product.inverse, x, along)
            or dims(product.root.outputs[0]) != dims(x)
        ):
            continue
        scales.remove(x)
        root = product.root
        if scales:
            scale = affine(editor, root, scales[0], x, along)
        elif all(isinstance(d, int) for d in shape) and x.dtype is not None:
            scale = editor.constant(np.ones(shape, x.dtype.numpy()))
        else:
            scale = None
        if scale is None:
            continue
        out = root.outputs[0]
        normalised = editor.before(root).RMSNormalization(
            x, scale, axis=along[0] - rank(x), epsilon=under[1], like=out
        )
        editor.replace(out, normalised)
        return True
    return False
