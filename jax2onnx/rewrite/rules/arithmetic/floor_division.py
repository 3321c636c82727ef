"""Replace a corrected remainder by Mod, and a corrected quotient by a shorter one.

Before: the remainder of integers, with the sign of the dividend as in C, and a correction where the
signs differ. After: ONNX's Mod, which has the sign of the divisor as Python's has. The correction
of a quotient is subtracted from it, as x - x mod c may overflow.

Does not apply where the divisor is not a constant, or is not positive.
"""

import numpy as np
import onnx_ir as ir

from jax2onnx.rewrite.analyses.values import constant, filled
from jax2onnx.rewrite.engine.editor import Editor, Operators
from jax2onnx.rewrite.engine.pattern import Match, PatternRule, Var, op


def _is_positive(value: ir.Value) -> bool:
    array = constant(value)
    return array is not None and array.dtype.kind in "iu" and bool((array > 0).all())


_X, _BY = Var("x"), Var("by", _is_positive)
_NEVER = Var("never", lambda value: filled(value) == 0)
_POSITIVE = Var("positive", lambda value: filled(value) == 1)  # the sign of the divisor
_REST, _QUOTIENT = op.Mod(_X, _BY, fmod=1), op.Div(_X, _BY)
_IS_REST = op.Not(op.Equal(_REST, 0))
_IS_NEGATIVE = op.Not(op.Equal(op.Less(_REST, 0), _NEVER))
_SIGNS_DIFFER = op.Not(op.Equal(op.Sign(_X), _POSITIVE))


def _modulo(add: Operators, found: Match) -> ir.Value:
    return add.Mod(found["x"], found["by"], fmod=0)


def _floor(add: Operators, found: Match) -> ir.Value:
    x, by = found["x"], found["by"]
    assert x.dtype is not None
    zero = np.zeros((), x.dtype.numpy())
    below = add.Less(add.Mod(x, by, fmod=1), zero, dtype=ir.DataType.BOOL)
    return add.Sub(add.Div(x, by), add.Cast(below, to=int(x.dtype), dtype=x.dtype))


_MODULO = PatternRule(
    (op.Where(op.And(_IS_NEGATIVE, _IS_REST), op.Add(_REST, _BY), _REST),), _modulo
)
_FLOOR = PatternRule(
    (op.Where(op.And(_SIGNS_DIFFER, _IS_REST), op.Sub(_QUOTIENT, 1), _QUOTIENT),), _floor
)


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace the remainder or quotient that is corrected by what ``node`` computes."""
    quotient = _FLOOR(editor, node)
    return _MODULO(editor, node) or quotient
