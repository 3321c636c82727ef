"""Replace x min(max(x + 3, 0), 6) / 6 by HardSwish(x).

Does not apply to float64: runtimes compute HardSwish in float32.
"""

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
"""Replaces the expression around a Min or Clip."""
