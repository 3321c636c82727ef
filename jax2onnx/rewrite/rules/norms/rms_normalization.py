"""Replace x / sqrt(mean(x^2) + epsilon) * scale by RMSNormalization(x) (opset 23).

Applies along any axes, with the scale before or after the division. Other than trailing axes are
moved to the end and back.

Does not apply

- below opset 23, which has no RMSNormalization;
- to float64: RMSNormalization computes the mean square in float32;
- to axes of symbolic size where there is no scale;
- to other than trailing axes of symbolic size, or of fewer than 16 elements.
"""

from dataclasses import replace

import onnx_ir as ir

from jax2onnx.rewrite.analyses.normalisation import along_last, epsilon, is_same, mean_square
from jax2onnx.rewrite.analyses.readings import readings
from jax2onnx.rewrite.analyses.values import is_single
from jax2onnx.rewrite.engine.editor import Editor, Operators


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace the expression around a Sqrt."""
    under = epsilon(node)
    found = None if under is None else mean_square(under[0])
    if under is None or found is None or not is_single(found[0]):
        return False
    x, along = found
    added = under[1]

    def normalise(op: Operators, x: ir.Value, scale: ir.Value, _: ir.Value | None) -> ir.Value:
        return op.RMSNormalization(x, scale, axis=-len(along), epsilon=added)

    return any(
        along_last(editor, replace(reading, x=x), along, normalise)
        for reading in readings(node)
        if is_same(reading.x, x) and reading.mean is None and reading.bias is None
    )
