"""HardSwish: x min(max(x + 3, 0), 6) / 6.

Does not apply to doubles: runtimes compute HardSwish in float32.
"""

from __future__ import annotations

from jax2onnx.rewrite.analyses.values import is_single
from jax2onnx.rewrite.engine.pattern import PatternRule, Var, op, product

_x = Var("x", is_single)
_shifted = op.Add(_x, 3.0)

apply = PatternRule(
    patterns=(
        product(_x, op.Min(op.Max(_shifted, 0.0), 6.0), 1 / 6),
        product(_x, op.Clip(_shifted, 0.0, 6.0), 1 / 6),
    ),
    build=lambda add, found: add.HardSwish(found["x"]),
)
"""Puts HardSwish in the place of the expression around a Min or Clip."""
