"""Replace (x - mean) / sqrt(variance + epsilon) * scale + bias by BatchNormalization(x).

Applies to the batch norms of Flax, Equinox, Haiku and Keras in inference, whose statistics are
parameters, one number a channel, on any axis (64 x 56 x 56: 0.03 ms instead of 0.07; channels last
0.10 instead of 0.19). Behind a convolution, ONNX Runtime folds the operator into the weights.

Does not apply

- to statistics of x itself, or of a single channel;
- to float64, whose epsilon the operator would round.
"""

from typing import Any

import onnx_ir as ir

from jax2onnx.rewrite.analyses.normalisation import channel, epsilon, per_channel
from jax2onnx.rewrite.analyses.readings import Reading, readings
from jax2onnx.rewrite.analyses.shapes import view
from jax2onnx.rewrite.analyses.values import dims, is_single, without_ones
from jax2onnx.rewrite.engine.editor import Editor, Operators


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace the expression around a Sqrt."""
    under = epsilon(node)
    if under is None or without_ones(under[0]).producer() is not None:
        return False
    return any(_replace(editor, reading, *under) for reading in readings(node))


def _replace(editor: Editor, reading: Reading, variance: ir.Value, added: float) -> bool:
    x, mean = reading.x, reading.mean
    if mean is None or not is_single(x):
        return False
    axis = channel(reading.inverse, x)
    if axis is None or channel(mean, x) != axis:
        return False

    def normalise(
        op: Operators, place: ir.Node, x: ir.Value, scale: ir.Value, bias: ir.Value
    ) -> Any:
        statistics = (view(editor, place, v, dims(scale)) for v in (mean, variance))
        return op.BatchNormalization(x, scale, bias, *statistics, epsilon=added)

    return per_channel(editor, reading, axis, normalise)
