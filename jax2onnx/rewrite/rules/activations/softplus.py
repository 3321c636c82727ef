"""Softplus: log(1 + exp(x)), where a readable graph is preferred.

Applies to ``jax.nn.softplus`` and ``jnp.logaddexp(x, 0)`` (197 x 3072 elements: 6.9 ms against 4.9
decomposed).

Does not apply to doubles, which ONNX Runtime's Softplus does not take.
"""

from __future__ import annotations

import jax

from jax2onnx.rewrite.engine.expression import Expression

apply = Expression("Softplus", jax.nn.softplus)
"""Puts Softplus in the place of the expression around a log1p."""
