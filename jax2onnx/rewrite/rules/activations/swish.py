"""Swish (opset 24): x sigmoid(x), where a readable graph is preferred.

Applies to ``jax.nn.silu`` (197 x 3072 elements: 0.33 ms against 0.19 decomposed).

Does not apply below opset 24, nor above it, where ONNX Runtime has no kernel: the decomposition
stays; nor to doubles, whose Sigmoid ONNX Runtime rounds to 0 too early.
"""

from __future__ import annotations

import jax

from jax2onnx.rewrite.analyses.values import is_single
from jax2onnx.rewrite.engine.expression import Expression

apply = Expression("Swish", jax.nn.silu, where=is_single)
"""Puts Swish in the place of the product with a Sigmoid."""
