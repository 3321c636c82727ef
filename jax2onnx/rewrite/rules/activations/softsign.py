"""Replace x / (1 + |x|) by Softsign(x).

Applies to ``jax.nn.soft_sign`` (197 x 3072 elements: 0.14 ms instead of 0.26).

Does not apply to float64, which ONNX Runtime's Softsign does not take.
"""

import jax

from jax2onnx.rewrite.engine.expression import Expression

apply = Expression("Softsign", jax.nn.soft_sign)
"""Replaces the expression around an Abs."""
