"""Replace 0.5 x (1 + erf(x / sqrt(2))) by Gelu(x), and likewise its approximation by tanh.

Applies to ``jax.nn.gelu``, which traces to 0.5 x erfc(-x sqrt(1/2)) or to the approximation, and to
the same formulas written by hand with erf, however their products are bracketed.

Does not apply

- to float64: runtimes compute Gelu in float32;
- to other constants, such as x sigmoid(1.702 x).
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import onnx_ir as ir

from jax2onnx.rewrite.engine.editor import Editor
from jax2onnx.rewrite.engine.expression import Expression


def _by_erf(x: Any) -> Any:
    return 0.5 * x * (1 + jax.lax.erf(math.sqrt(0.5) * x))


def _by_product(x: Any) -> Any:
    return 0.5 * x * (1 + jnp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


_EXACT = Expression(
    "Gelu",
    functools.partial(jax.nn.gelu, approximate=False),
    [_by_erf],
    attributes={"approximate": "none"},
)
_APPROXIMATE = Expression("Gelu", jax.nn.gelu, [_by_product], attributes={"approximate": "tanh"})


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace the expression around an Erf, a Tanh or the end of an erfc."""
    return (_APPROXIMATE if node.op_type == "Tanh" else _EXACT)(editor, node)
