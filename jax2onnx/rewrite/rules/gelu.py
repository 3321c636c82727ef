"""Gelu: x times the normal distribution's share below x, exact or by its tanh approximation.

Applies to what ``jax.nn.gelu`` traces to, 0.5 x erfc(-x sqrt(1/2)) or the tanh approximation, and
to the same formulas written by hand with erf, however their products are bracketed.

Does not apply

- to doubles: runtimes compute Gelu in float32;
- with other constants, such as x sigmoid(1.702 x).
"""

from __future__ import annotations

import math

import onnx_ir as ir

from jax2onnx.rewrite.editor import Editor, Operators
from jax2onnx.rewrite.pattern import Match, Pattern, PatternRule, Var, op, primitive, product
from jax2onnx.rewrite.values import is_single, stands_for

_x = Var("x", is_single)
_ROOT_HALF = math.sqrt(0.5)

_ERF: tuple[Pattern, ...] = (
    product(0.5, _x, primitive("erfc", product(-_ROOT_HALF, _x))),
    product(0.5, _x, op.Add(1.0, op.Erf(product(_ROOT_HALF, _x)))),
)


def _tanh(cube: Pattern) -> Pattern:
    """0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))."""
    inner = op.Add(_x, product(0.044715, cube))
    return product(0.5, _x, op.Add(1.0, op.Tanh(product(math.sqrt(2 / math.pi), inner))))


_TANH = (_tanh(op.Pow(_x, 3.0)), _tanh(product(_x, _x, _x)), _tanh(product(_x, op.Pow(_x, 2.0))))


def _build(approximate: str) -> PatternRule:
    def build(op: Operators, found: Match) -> ir.Value:
        return op.Gelu(found["x"], approximate=approximate)  # type: ignore[no-any-return]

    return PatternRule(_ERF if approximate == "none" else _TANH, build)


_EXACT, _APPROXIMATE = _build("none"), _build("tanh")


def apply(editor: Editor, node: ir.Node) -> bool:
    """Puts Gelu in the place of the expression around an Erf, a Tanh or the end of an erfc."""
    if node.op_type == "Tanh":
        return _APPROXIMATE(editor, node)
    if node.op_type != "Erf" and stands_for(node.outputs[0]) is None:
        return False
    return _EXACT(editor, node)
