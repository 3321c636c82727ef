"""Replace (x - mean) / sqrt(variance + epsilon) * scale + bias by LayerNormalization(x).

Applies to the layer norms of Equinox, Flax and Keras (with fast variance and without) and to those
written with ``jnp.mean`` and ``jnp.var``. A factor and a summand that vary along the normalised
axes alone become scale and bias; others stay in the graph. Other than trailing axes, such as the
channels of an image that come first, are moved to the end and back (96 x 56 x 56: 1.0 ms instead of
1.6; 768 x 7 x 7: 0.09 instead of 0.25).

Does not apply

- to float64: LayerNormalization computes mean and variance in float32;
- to axes of symbolic size where there is no scale;
- to other than trailing axes of symbolic size, or of fewer than 16 elements.
"""

from collections.abc import Sequence
from dataclasses import replace

import onnx_ir as ir

from jax2onnx.rewrite.analyses.normalisation import along_last, epsilon, is_same, mean, variance
from jax2onnx.rewrite.analyses.readings import Reading, readings
from jax2onnx.rewrite.analyses.values import constant, dims, is_single, kept
from jax2onnx.rewrite.engine.editor import Editor, Operators


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace the expression around a Sqrt."""
    under = epsilon(node)
    found = None if under is None else variance(under[0])
    if under is None or found is None or not is_single(found[0]):
        return False
    x, along = found
    added = under[1]

    def normalise(op: Operators, x: ir.Value, scale: ir.Value, bias: ir.Value | None) -> ir.Value:
        return op.LayerNormalization(x, scale, bias, axis=-len(along), epsilon=added)

    return any(
        along_last(editor, replace(reading, x=x), along, normalise)
        for reading in readings(node)
        if is_same(reading.x, x) and _is_centred(reading, x, along)
    )


def _is_centred(reading: Reading, x: ir.Value, along: Sequence[int]) -> bool:
    """Return whether the mean of x is subtracted, and nothing is added or a tensor."""
    middle, bias = reading.mean, reading.bias
    if bias is not None and dims(bias) == () and constant(bias) is not None:
        return False
    return middle is not None and mean(middle) == (x, tuple(along)) and kept(middle, x, along)
