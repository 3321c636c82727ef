"""Celu: max(x, 0) + alpha (exp(min(x, 0) / alpha) - 1).

Applies to ``jax.nn.celu`` (197 x 3072 elements: 1.4 ms against 7.8 decomposed); exact to a rounding
of 1, like Elu.

Does not apply to doubles and halves, which ONNX's Celu does not take.
"""

from __future__ import annotations

import jax
import onnx_ir as ir

from jax2onnx.rewrite.engine.expression import Expression

apply = Expression(
    "Celu", jax.nn.celu, captured=("alpha",), where=lambda x: x.dtype == ir.DataType.FLOAT
)
"""Puts Celu in the place of the expression around an expm1."""
