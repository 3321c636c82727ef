"""Replace x sigmoid(x) by Swish(x), with ``prefer="readable"`` and opset 24.

Applies to ``jax.nn.silu`` (197 x 3072 elements: 0.33 ms instead of 0.19).

Does not apply

- below opset 24, which has no Swish, and above it, where ONNX Runtime has no kernel for it;
- to float64, whose Sigmoid ONNX Runtime rounds to 0 too early.
"""

import jax

from jax2onnx.rewrite.analyses.values import is_single
from jax2onnx.rewrite.engine.expression import Expression

apply = Expression("Swish", jax.nn.silu, where=is_single)
"""Replaces the product with a Sigmoid."""
