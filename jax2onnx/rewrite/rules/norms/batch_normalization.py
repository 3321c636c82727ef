"""Replace (x - mean) / sqrt(variance + epsilon) * scale + bias by BatchNormalization(x).

Applies to the batch norms of Flax and Equinox in inference, whose statistics are parameters, one
number a channel, on any axis (64 x 56 x 56: 0.03 ms instead of 0.07; channels last 0.10 instead of
0.19). Behind a convolution, ONNX Runtime folds the operator into the weights.

Does not apply

- to statistics of x itself, or of a single channel;
- to float64, whose epsilon the operator would round.
"""

from typing import Any

import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import made_by, the_input
from jax2onnx.rewrite.analyses.normalisation import Product, channel, epsilon, per_channel, products
from jax2onnx.rewrite.analyses.shapes import view
from jax2onnx.rewrite.analyses.values import dims, is_single, without_ones
from jax2onnx.rewrite.engine.editor import Editor, Operators


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace the expression around a Sqrt."""
    under = epsilon(node)
    if under is None or without_ones(under[0]).producer() is not None:
        return False
    # The scale, where there is one, is in the largest product.
    return any(_replace(editor, product, *under) for product in reversed(products(node)))


def _replace(editor: Editor, product: Product, variance: ir.Value, added: float) -> bool:
    differences = [d for f in product.factors if (d := made_by(f, "Sub")) is not None]
    if len(differences) != 1:
        return False
    x, mean = the_input(differences[0]), the_input(differences[0], 1)
    axis = channel(product.inverse, x)
    if axis is None or channel(mean, x) != axis or not is_single(x):
        return False

    def normalise(
        op: Operators, place: ir.Node, x: ir.Value, scale: ir.Value, bias: ir.Value
    ) -> Any:
        statistics = (view(editor, place, v, dims(scale)) for v in (mean, variance))
        return op.BatchNormalization(x, scale, bias, *statistics, epsilon=added)

    return per_channel(editor, product, differences[0], axis, normalise)
