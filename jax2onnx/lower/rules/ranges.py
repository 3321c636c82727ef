"""The range of an integer tensor, so that indices that cannot be outside are not clamped."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import onnx_ir as ir

from jax2onnx.jax_internals import bounds
from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.trace.dimensions import Dim

Range: TypeAlias = tuple[Dim, Dim]
"""The least and the greatest number that an element may be."""

Rule: TypeAlias = Callable[["_Search", ir.Node, ir.Value], Range | None]
"""Returns the range of a result of a node; None if it is not known."""

_MOST_NODES = 64


def is_inside(ctx: Context, index: ir.Value, low: Dim, high: Dim) -> bool:
    """Return whether all elements of ``index`` are known to be in ``low`` to ``high``.

    Args:
        ctx: the graph.
        index: an integer tensor.
        low: the least number.
        high: the greatest number.
    """
    found = _Search(ctx).range(index)
    return found is not None and _at_most(low, found[0]) and _at_most(found[1], high)


def _at_most(left: Dim, right: Dim) -> bool:
    return bool(bounds(right - left)[0] >= 0)


def _greater(left: Dim, right: Dim) -> Dim | None:
    """Return the greater of two sizes; None if it is not known which one that is."""
    if _at_most(left, right):
        return right
    return left if _at_most(right, left) else None


def _lesser(left: Dim, right: Dim) -> Dim | None:
    """Return the lesser of two sizes; None if it is not known which one that is."""
    if _at_most(left, right):
        return left
    return right if _at_most(right, left) else None


class _Search:
    """Looks for ranges in the expressions before a value, up to a number of nodes.

    Args:
        ctx: the graph.
    """

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self._left = _MOST_NODES

    def range(self, value: ir.Value) -> Range | None:
        """Return the range of a tensor; at worst that of its type, and None for an empty one."""
        array, dim = self.ctx.builder.array(value), self.ctx.dimensions.dim_of(value)
        if array is not None:
            return (int(array.min()), int(array.max())) if array.size else None
        if dim is not None:
            return dim, dim
        node, found = value.producer(), None
        self._left -= 1
        if node is not None and node.domain == "" and node.op_type in _RULES and self._left > 0:
            found = _RULES[node.op_type](self, node, value)
        if found is None:
            limits = np.iinfo(element_type(value).numpy())
            found = int(limits.min), int(limits.max)
        return found


def _of_source(search: _Search, node: ir.Node, value: ir.Value) -> Range | None:
    """Return the range of an integer operand."""
    source = node.inputs[0]
    assert source is not None
    if not element_type(source).is_integer():
        return None
    found = search.range(source)
    return None if found is None else _fitting(found, value)


def _fitting(found: Range, value: ir.Value) -> Range | None:
    """Return a range if the type of ``value`` holds all of it, and None if it may wrap around.

    A symbolic size is taken to fit into 32 bits, as it does where JAX computes with it.
    """
    limits = np.iinfo(element_type(value).numpy())
    known = [d for d in found if isinstance(d, int)]
    fits = all(limits.min <= d <= limits.max for d in known)
    return found if fits and (len(known) == 2 or limits.bits >= 32) else None


def _of_counter(search: _Search, node: ir.Node, value: ir.Value) -> Range | None:
    start, _, step = map(search.ctx.builder.array, node.inputs)
    (size,) = search.ctx.dims(value)
    return (0, size - 1) if start == 0 and step == 1 else None


def _of_position(search: _Search, node: ir.Node, value: ir.Value) -> Range | None:
    """Return the range of the positions that ArgMax, ArgMin or TopK finds."""
    source = node.inputs[0]
    assert source is not None
    axis = node.attributes.get_int("axis", 0)  # TopK, whose default is -1, always states it
    return (0, search.ctx.dims(source)[axis] - 1) if value is node.outputs[-1] else None


def _of_remainder(search: _Search, node: ir.Node, value: ir.Value) -> Range | None:
    divisor = search.ctx.builder.array(node.inputs[1])
    if divisor is None or not (divisor > 0).all() or node.inputs[0] is None:
        return None
    if node.attributes.get_int("fmod", 0):  # the result has the sign of the dividend
        dividend = search.range(node.inputs[0])
        if dividend is None or not _at_most(0, dividend[0]):
            return None
    return 0, int(divisor.max(initial=1)) - 1


def _of_clamped(search: _Search, node: ir.Node, value: ir.Value) -> Range | None:
    if len(node.inputs) < 3:
        return None
    least, most = map(search.ctx.builder.array, node.inputs[1:])
    if least is None or most is None or least > most:
        return None
    return int(least), int(most)


def _of_two(low: Callable[[Dim, Dim], Dim | None], high: Callable[[Dim, Dim], Dim | None]) -> Rule:
    """Return a rule for an operator of two operands, the last of its inputs.

    Args:
        low: computes the least result of the operands' least numbers; None if it is not known.
        high: computes the greatest result of their greatest numbers likewise.
    """

    def rule(search: _Search, node: ir.Node, value: ir.Value) -> Range | None:
        operands = node.inputs[1:] if node.op_type == "Where" else node.inputs
        ranges = [None if v is None else search.range(v) for v in operands]
        left, right = ranges if len(ranges) == 2 else (None, None)
        if left is None or right is None:
            return None
        least, most = low(left[0], right[0]), high(left[1], right[1])
        return None if least is None or most is None else _fitting((least, most), value)

    return rule


def _of_product(search: _Search, node: ir.Node, value: ir.Value) -> Range | None:
    """Return the range of a product of numbers that are not negative."""
    left, right = (None if v is None else search.range(v) for v in node.inputs)
    if left is None or right is None or not _at_most(0, left[0]) or not _at_most(0, right[0]):
        return None
    return _fitting((left[0] * right[0], left[1] * right[1]), value)


_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("Cast", "Expand", "Reshape", "Squeeze", "Transpose", "Unsqueeze"), _of_source),
    **dict.fromkeys(("ArgMax", "ArgMin", "TopK"), _of_position),
    "Range": _of_counter,
    "Mod": _of_remainder,
    "Clip": _of_clamped,
    "Add": _of_two(operator.add, operator.add),
    "Mul": _of_product,
    "Max": _of_two(_greater, _greater),
    "Min": _of_two(_lesser, _lesser),
    "Where": _of_two(_lesser, _greater),
}
