"""Replace (x - mean) / sqrt(variance + epsilon) * scale + bias by LayerNormalization(x).

Applies to the layer norms of Equinox and Flax (with fast variance and without) and to those written
with ``jnp.mean`` and ``jnp.var``, along one or several trailing axes. A factor and a summand that
vary along these axes alone become scale and bias; others stay in the graph.

Does not apply

- to float64: LayerNormalization computes mean and variance in float32;
- to other than trailing axes, or to axes of symbolic size where there is no scale.
"""

from collections.abc import Sequence

import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import only_user, the_input
from jax2onnx.rewrite.analyses.normalisation import (
    Product,
    affine,
    epsilon,
    is_last,
    products,
    scale,
    uncentred,
    variance,
)
from jax2onnx.rewrite.analyses.values import constant, dims, is_single, rank
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace the expression around a Sqrt."""
    under = epsilon(node)
    if under is None:
        return False
    found = variance(under[0])
    if found is None or not is_single(found[0]) or not is_last(found[1], found[0]):
        return False
    x, along = found
    # The scale, where there is one, is in the largest product.
    largest_first = reversed(products(node))
    return any(_replace(editor, product, x, along, under[1]) for product in largest_first)


def _replace(
    editor: Editor, product: Product, x: ir.Value, along: Sequence[int], added: float
) -> bool:
    centred = [v for v in product.factors if uncentred(v, along) is x]
    gain = scale(editor, product, centred[0], x, along) if len(centred) == 1 else None
    if gain is None:
        return False
    root, bias = _bias(editor, product.root, x, along)
    out = root.outputs[0]
    normalised = editor.before(root).LayerNormalization(
        x, gain, bias, axis=along[0] - rank(x), epsilon=added, like=out
    )
    editor.replace(out, normalised)
    return True


def _bias(
    editor: Editor, root: ir.Node, x: ir.Value, along: Sequence[int]
) -> tuple[ir.Node, ir.Value | None]:
    """Return the Add that follows ``root`` and its other operand, if that can be a bias."""
    value = root.outputs[0]
    user = only_user(value)
    if user is None or user.op_type != "Add" or dims(user.outputs[0]) != dims(x):
        return root, None
    other = the_input(user, 1 if user.inputs[0] is value else 0)
    if constant(other) is not None and dims(other) == ():
        return root, None
    bias = affine(editor, user, other, x, along)
    return (root, None) if bias is None else (user, bias)
