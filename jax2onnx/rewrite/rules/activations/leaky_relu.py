"""LeakyRelu: x where it is not negative, a constant multiple of it elsewhere.

Applies to ``jax.nn.leaky_relu`` (197 x 3072 elements: 0.2 ms against 4.8 decomposed).

Does not apply to doubles, which ONNX Runtime's LeakyRelu does not take.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jax2onnx.rewrite.engine.expression import Expression

apply = Expression(
    "LeakyRelu",
    jax.nn.leaky_relu,
    [lambda x, alpha: jnp.where(x > 0, x, alpha * x)],
    captured=("alpha",),
)
"""Puts LeakyRelu in the place of the expression around a comparison."""
