"""Replace log(1 + exp(x)) by Softplus(x), with ``prefer="readable"``.

Applies to ``jax.nn.softplus`` and ``jnp.logaddexp(x, 0)`` (197 x 3072 elements: 6.9 ms instead of
4.9).

Does not apply to float64, which ONNX Runtime's Softplus does not take.
"""

import jax

from jax2onnx.rewrite.engine.expression import Expression

apply = Expression("Softplus", jax.nn.softplus)
"""Replaces the expression around a log1p."""
