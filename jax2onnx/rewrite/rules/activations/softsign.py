"""Softsign: x / (1 + |x|).

Applies to ``jax.nn.soft_sign`` (197 x 3072 elements: 0.14 ms against 0.26 decomposed).

Does not apply to doubles, which ONNX Runtime's Softsign does not take.
"""

from __future__ import annotations

import jax

from jax2onnx.rewrite.engine.expression import Expression

apply = Expression("Softsign", jax.nn.soft_sign)
"""Puts Softsign in the place of the expression around an Abs."""
