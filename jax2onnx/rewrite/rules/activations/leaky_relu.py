"""Replace x >= 0 ? x : alpha x by LeakyRelu(x).

Applies to ``jax.nn.leaky_relu`` (197 x 3072 elements: 0.2 ms instead of 4.8).

Does not apply to float64, which ONNX Runtime's LeakyRelu does not take.
"""

import jax
import jax.numpy as jnp

from jax2onnx.rewrite.engine.expression import Expression

apply = Expression(
    "LeakyRelu",
    jax.nn.leaky_relu,
    [lambda x, alpha: jnp.where(x > 0, x, alpha * x)],
    captured=("alpha",),
)
"""Replaces the expression around a comparison."""
