"""Replace min(max(x + 3, 0), 6) / 6 by HardSigmoid(x).

Applies to ``jax.nn.hard_sigmoid`` (197 x 3072 elements: 0.1 ms instead of 0.3).

Does not apply to float64, which ONNX Runtime's HardSigmoid does not take.
"""

from jax2onnx.rewrite.analyses.values import is_single
from jax2onnx.rewrite.engine.pattern import PatternRule, Var, op, product

_shifted = op.Add(Var("x", is_single), 3.0)

apply = PatternRule(
    patterns=(
        product(op.Min(op.Max(_shifted, 0.0), 6.0), 1 / 6),
        product(op.Clip(_shifted, 0.0, 6.0), 1 / 6),
    ),
    build=lambda add, found: add.HardSigmoid(found["x"], alpha=1 / 6, beta=0.5),
)
"""Replaces the expression around a Min or Clip."""
