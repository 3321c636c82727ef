"""Selu: Elu with the two constants that keep mean and variance.

Applies to ``jax.nn.selu`` (197 x 3072 elements: 1.2 ms against 14.7 decomposed); exact to a
rounding of 1, like Elu.

Does not apply to doubles, which ONNX Runtime's Selu does not take.
"""

from __future__ import annotations

import jax

from jax2onnx.rewrite.engine.expression import Expression

apply = Expression("Selu", jax.nn.selu)
"""Puts Selu in the place of the expression around an expm1."""
