"""Replace max(x, 0) + alpha (exp(min(x, 0) / alpha) - 1) by Celu(x).

Applies to ``jax.nn.celu`` (197 x 3072 elements: 1.4 ms instead of 7.8). Near 0, ONNX Runtime's
result is exact to the rounding of 1, not of x.

Does not apply to float64 and float16, which ONNX's Celu does not take.
"""

import jax
import onnx_ir as ir

from jax2onnx.rewrite.engine.expression import Expression

apply = Expression(
    "Celu", jax.nn.celu, captured=("alpha",), where=lambda x: x.dtype == ir.DataType.FLOAT
)
"""Replaces the expression around an expm1."""
