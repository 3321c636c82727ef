"""Prove that no two updates of a scatter go to the same place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.shapes import VIEWS
from jax2onnx.lower.context import Context
from jax2onnx.lower.fold import Array
from jax2onnx.lower.rules.indexing.grid import Grid
from jax2onnx.lower.rules.positions import unwrapped
from jax2onnx.trace.dimensions import Dim, Dims

_OPERANDS = {"Add": 2, "Sub": 2, "Mul": 2, "Cast": 1, "Expand": 1} | dict.fromkeys(VIEWS, 1)
"""The operators that are looked through, and the number of operands that have their indices."""

_NONE: frozenset[int] = frozenset()


class Spread(NamedTuple):
    """The axes along which a tensor of indices is known to repeat no value.

    Attributes:
        varies: the axes along which its values may differ.
        told: axes whose position follows from a value and the positions along ``given``.
        given: other axes.
        least: a lower bound of all values: 0, or -1 if there may be any.
    """

    varies: frozenset[int]
    told: frozenset[int] = _NONE
    given: frozenset[int] = _NONE
    least: int = -1


def are_distinct(grid: Grid) -> bool:
    """Return whether it is known that no two windows overlap, if all of them are inside."""
    if 0 in grid.batch_dims:
        return True
    spreads: list[Spread] = []
    constants: Array = np.zeros((1,) * len(grid.batch_dims), np.int64)
    for axis in grid.axes:
        array = grid.ctx.builder.array(axis.start)
        if axis.window != 1:
            continue
        if array is None:
            spreads.append(_spread(grid.ctx, axis.start, grid.operand_dims[axis.axis]))
        else:  # one number stands for the constant indices on all axes
            array = array - array.min(initial=0)
            constants = constants * (1 + array.max(initial=0)) + array
    spreads.append(_spread_of(constants))
    known = frozenset(a for a, d in enumerate(grid.batch_dims) if d == 1)
    for _ in spreads:
        known = known.union(*(s.told for s in spreads if s.given <= known))
    return len(known) == len(grid.batch_dims)


def _spread_of(array: Array) -> Spread:
    """Return the spread of a constant."""
    least = -1 if (array < 0).any() else 0
    varies = [a for a in range(array.ndim) if (array != array.take([0], a)).any()]
    array = array[tuple(slice(None if a in varies else 1) for a in range(array.ndim))]
    if np.unique(array).size == array.size:
        return Spread(frozenset(varies), frozenset(varies), _NONE, least)
    for axis in varies:
        if np.diff(np.sort(array, axis), axis=axis).all():
            told = frozenset((axis,))
            return Spread(frozenset(varies), told, frozenset(varies) - told, least)
    return Spread(frozenset(varies), least=least)


def _spread(ctx: Context, value: ir.Value, size: Dim) -> Spread:
    """Return the spread of indices on an axis; Range and TopK give indices that differ."""
    array, node, dims = ctx.builder.array(value), value.producer(), ctx.dims(value)
    varies = frozenset(a for a, d in enumerate(dims) if d != 1)
    if array is not None:
        return _spread_of(array)
    if node is None or node.domain != "":
        return Spread(varies)
    if node.op_type == "Range":
        return Spread(varies, varies, least=0)
    if node.op_type == "TopK" and value is node.outputs[1]:
        axis = frozenset((node.attributes["axis"].as_int() % len(dims),))
        return Spread(varies, axis, varies - axis, 0)
    plain = unwrapped(ctx, value, size)
    if plain is not None:
        spread = _spread(ctx, plain, size)
        return Spread(varies) if spread.least else spread
    return _through(ctx, node, dims, size) if node.op_type in _OPERANDS else Spread(varies)


def _through(ctx: Context, node: ir.Node, dims: Dims, size: Dim) -> Spread:
    """Return the spread of the result of a view or of arithmetic, of shape dims."""
    sources = [v for v in node.inputs[: _OPERANDS[node.op_type]] if v is not None]
    seen = [_seen(ctx, v, dims, size, reshaped=node.op_type in VIEWS) for v in sources]
    varies = _NONE.union(*(s.varies for s in seen))
    least = -1 if node.op_type == "Sub" else min(s.least for s in seen)
    for i, spread in enumerate(seen):
        others = _NONE.union(*(s.varies for s in seen[:i] + seen[i + 1 :]))
        factor = ctx.builder.array(sources[1 - i]) if node.op_type == "Mul" else None
        moves = node.op_type != "Mul" or (factor is not None and factor.all())
        if moves and spread.told and not spread.told & others:
            return Spread(varies, spread.told, spread.given | others, least)
    return Spread(varies)


def _seen(ctx: Context, source: ir.Value, dims: Dims, size: Dim, *, reshaped: bool) -> Spread:
    """Return the spread of a value by the axes of a reshaped or broadcast one, of shape dims."""
    old = ctx.dims(source)
    kept = [a for a, d in enumerate(old) if d != 1]
    axes = [a + len(dims) - len(old) for a in kept]
    if reshaped:
        axes = [a for a, d in enumerate(dims) if d != 1]
        if [dims[a] for a in axes] != [old[a] for a in kept]:
            return Spread(frozenset(axes))
    to = dict(zip(kept, axes, strict=True))
    spread = _spread(ctx, source, size)
    varies, told, given = (frozenset(to[a] for a in part if a in to) for part in spread[:3])
    return Spread(varies, told, given, spread.least)
