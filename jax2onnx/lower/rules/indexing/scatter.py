"""Scatter: ScatterND where no two updates go to one place, and other operators where some may.

ONNX Runtime applies the updates of a ScatterND on several threads at once, without a lock. Updates
of one place are lost then, or are written in any order. So where two updates may go to one place

* one that replaces is exchanged for the last one of that place, so that all of them are equal;
* one that adds, multiplies or takes the smaller or larger one is scattered in pieces that are too
  small for several threads (`pieces`), or goes through ScatterElements. Both apply one update after
  the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
from jax import Array, lax
from jax.extend import core

from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import INT32, INT64
from jax2onnx.lower.registry import Results, Rule, register_lowering
from jax2onnx.lower.rules.indexing.distinct import are_distinct
from jax2onnx.lower.rules.indexing.grid import Batch, Grid, Label
from jax2onnx.lower.rules.indexing.pieces import in_pieces
from jax2onnx.lower.rules.windows import elementwise_monoid
from jax2onnx.trace.dimensions import Dim

Mode = lax.GatherScatterMode
_ZERO = np.zeros(1, np.int64)
_SINCE = {"none": 18, "add": 16, "mul": 16, "max": 18, "min": 18}
"""The operator set that introduced the scatters of a reduction, where indices may repeat. One that
replaces needs the maximum."""

_COMBINE: dict[str, Callable[[Array, Array], Array]] = {
    "none": lambda _old, new: new,
    "add": lax.add,
    "mul": lax.mul,
    "max": lax.max,
    "min": lax.min,
}


def scatter(reduction: str) -> Rule:
    """Return a rule for a scatter that combines old and new values by a reduction of ScatterND."""

    def rule(
        ctx: Context,
        operand: ir.Value,
        indices: ir.Value,
        updates: ir.Value,
        *,
        dimension_numbers: lax.ScatterDimensionNumbers,
        mode: lax.GatherScatterMode,
        update_jaxpr: core.Jaxpr | None,
        update_consts: Sequence[Any],
        unique_indices: bool,
        **_: object,
    ) -> ir.Value:
        numbers = dimension_numbers
        grid = _scatter_grid(ctx, operand, indices, updates, numbers)
        # XLA also drops updates that were promised to be inside and are not.
        valid = None if mode == Mode.CLIP else grid.in_bounds()
        apart = mode != Mode.CLIP or grid.in_bounds() is None
        distinct = unique_indices or (apart and are_distinct(grid))
        if update_jaxpr is not None and reduction == "none" and not distinct:
            closed = core.ClosedJaxpr(update_jaxpr, update_consts)
            function = partial(_applied_in_turn, closed, numbers, mode)
            return ctx.lower_function(function, (operand, indices, updates))[0]
        grid.clamp()
        order = [*(a.axis for a in grid.axes), *grid.rest]
        leading = ctx.transpose(operand, order)
        components = grid.components() or [ctx.constant(0, INT64)]
        dims = ctx.dims(leading)
        if not grid.axes:  # every window is the whole operand
            leading = ctx.reshape(leading, (1, *dims))
        if not distinct:
            leading, components = _as_rows(ctx, leading, components)
        inside = ctx.dims(leading)
        if valid is not None:
            leading, components[0] = _with_spare_row(ctx, leading, components[0], valid, grid)
        values = _arranged(ctx, updates, numbers.update_window_dims, grid)
        if distinct:
            index = grid.stacked(components)
            kind = reduction
            if update_jaxpr is not None and (reduction == "none" or ctx.opset < _SINCE[reduction]):
                closed, kind = core.ClosedJaxpr(update_jaxpr, update_consts), "none"
                values = _applied(ctx, leading, index, values, closed)
            result = ctx.op.ScatterND(
                leading, index, values, reduction=kind, shape=ctx.dims(leading)
            )
        else:
            count = math.prod(grid.dims)
            index = ctx.reshape(ctx.broadcast(components[0], grid.dims), (count,))
            values = ctx.reshape(values, (count, inside[1]))
            result = _write(ctx, leading, index, values, reduction)
        if valid is not None:
            result = ctx.op.Slice(result, [0], [-1], [0], shape=inside)
        result = ctx.reshape(result, dims)
        return ctx.transpose(result, [order.index(a) for a in range(len(order))])

    return rule


def _scatter_grid(
    ctx: Context,
    operand: ir.Value,
    indices: ir.Value,
    updates: ir.Value,
    numbers: lax.ScatterDimensionNumbers,
) -> Grid:
    dropped = (*numbers.inserted_window_dims, *numbers.operand_batching_dims)
    windows = iter(ctx.dims(updates)[a] for a in numbers.update_window_dims)
    rank = len(ctx.dims(operand))
    return Grid(
        ctx,
        ctx.dims(operand),
        indices,
        index_map=numbers.scatter_dims_to_operand_dims,
        batching=list(
            zip(numbers.operand_batching_dims, numbers.scatter_indices_batching_dims, strict=True)
        ),
        sizes=tuple(1 if a in dropped else next(windows) for a in range(rank)),
        dropped=dropped,
        whole=True,
    )


def _arranged(
    ctx: Context, updates: ir.Value, update_window_dims: Sequence[int], grid: Grid
) -> ir.Value:
    """Return the updates with the axes of the grid, then those that are not indexed."""
    rank = len(ctx.dims(updates))
    batch = [a for a in range(rank) if a not in update_window_dims]
    shown = [a for a in range(len(grid.operand_dims)) if a not in grid.dropped]
    position: dict[Label, int] = dict(zip(shown, update_window_dims, strict=True))
    position.update((Batch(i), a) for i, a in enumerate(batch))
    return ctx.transpose(updates, [position[o] for o in [*grid.order, *grid.rest]])


def _with_spare_row(
    ctx: Context, operand: ir.Value, first: ir.Value, valid: ir.Value, grid: Grid
) -> tuple[ir.Value, ir.Value]:
    """Add a row behind the operand's last one, and send the updates there that JAX drops.

    Args:
        ctx: the graph.
        operand: the operand, with its indexed axes in front.
        first: the index on the first of them.
        valid: whether the window is inside, over the batch.
        grid: the grid of indices.

    Returns:
        The operand with the row, and the new index.
    """
    dims = ctx.dims(operand)
    pads = [0] * (2 * len(dims))
    pads[len(dims)] = 1
    longer = ctx.op.Pad(operand, pads, ctx.constant(0, operand), shape=(dims[0] + 1, *dims[1:]))
    mask = ctx.reshape(valid, (*grid.batch_dims, *(1 for _ in grid.shown)))
    return longer, ctx.op.Where(mask, first, ctx.dim_scalar(dims[0]))


def _as_rows(
    ctx: Context, operand: ir.Value, components: Sequence[ir.Value]
) -> tuple[ir.Value, list[ir.Value]]:
    """Make one axis of the indexed axes, which are in front, and one of the others."""
    dims, indexed = ctx.dims(operand), len(components)
    index = components[0]
    for size, component in zip(dims[1:], components[1:], strict=False):
        index = ctx.op.Add(ctx.op.Mul(index, ctx.dim_scalar(size)), component)
    rows = ctx.reshape(operand, (math.prod(dims[:indexed]), math.prod(dims[indexed:])))
    return rows, [index]


def _write(
    ctx: Context, rows: ir.Value, index: ir.Value, values: ir.Value, reduction: str
) -> ir.Value:
    """Combine rows with all of the values that go there, several of which may go to one place.

    Args:
        ctx: the graph.
        rows: the old rows, (places, size).
        index: the place of each value, (count,).
        values: the new rows, (count, size).
        reduction: a reduction of ScatterND.
    """
    if ctx.opset < _SINCE[reduction]:
        write = partial(_one_row_at_a_time, _COMBINE[reduction])
        return ctx.lower_function(write, (rows, ctx.cast(index, INT32), values))[0]
    if reduction == "none":
        return _last_of_each_place(ctx, rows, index, values)
    result = in_pieces(ctx, rows, index, values, reduction)
    return _one_by_one(ctx, rows, index, values, reduction) if result is None else result


def _last_of_each_place(
    ctx: Context, rows: ir.Value, index: ir.Value, values: ir.Value
) -> ir.Value:
    """Replace rows, each by the last of the values that go there, as JAX does on CPUs."""
    places = ctx.dims(rows)[:1]
    numbers = _range(ctx, ctx.dims(index)[0])
    none = ctx.op.ConstantOfShape(ctx.shape_tensor(places), value=_ZERO, dtype=INT64, shape=places)
    last = ctx.op.ScatterElements(none, index, numbers, axis=0, reduction="max", shape=places)
    last = ctx.op.Gather(last, index, axis=0, shape=ctx.dims(index))
    values = ctx.op.Gather(values, last, axis=0, shape=ctx.dims(values))
    where = ctx.reshape(index, (*ctx.dims(index), 1))
    return ctx.op.ScatterND(rows, where, values, reduction="none", shape=ctx.dims(rows))


def _one_by_one(
    ctx: Context, rows: ir.Value, index: ir.Value, values: ir.Value, reduction: str
) -> ir.Value:
    """Combine rows with all of the values that go there.

    The elements are scattered along one axis, since ONNX Runtime takes three times as long for two.
    """
    count, size = ctx.dims(values)
    if size != 1:
        index = ctx.op.Mul(ctx.reshape(index, (count, 1)), ctx.dim_scalar(size))
        index = ctx.reshape(ctx.op.Add(index, _range(ctx, size)), (count * size,))
    operand = ctx.reshape(rows, (ctx.dims(rows)[0] * size,))
    values = ctx.reshape(values, (count * size,))
    result = ctx.op.ScatterElements(
        operand, index, values, axis=0, reduction=reduction, shape=ctx.dims(operand)
    )
    return ctx.reshape(result, ctx.dims(rows))


def _one_row_at_a_time(
    combine: Callable[[Array, Array], Array], rows: Array, index: Array, values: Array
) -> Array:
    """Combine rows with the values that go there in a loop, for old operator sets."""

    def step(i: Array, rows: Array) -> Array:
        place, value = (lax.dynamic_index_in_dim(x, i, 0, keepdims=False) for x in (index, values))
        row = combine(lax.dynamic_index_in_dim(rows, place, 0, keepdims=False), value)
        changed: Array = lax.dynamic_update_index_in_dim(rows, row, place, 0)
        return changed

    result: Array = lax.fori_loop(0, index.shape[0], step, rows)
    return result


def _range(ctx: Context, size: Dim) -> ir.Value:
    """Return 0, 1, ... size - 1, which are not stored in the model."""
    zero, one = ctx.constant(0, INT64), ctx.constant(1, INT64)
    return ctx.op.Range(zero, ctx.dim_scalar(size), one, shape=(size,))


def _applied_in_turn(
    closed: core.ClosedJaxpr,
    numbers: lax.ScatterDimensionNumbers,
    mode: lax.GatherScatterMode,
    operand: Array,
    indices: Array,
    updates: Array,
) -> Array:
    """Apply a function to each element as many times as there are updates of it."""
    ones = jnp.ones(updates.shape, np.int32)
    counts = lax.scatter_add(jnp.zeros(operand.shape, np.int32), indices, ones, numbers, mode=mode)
    combine, unused = elementwise_monoid(closed), jnp.zeros(operand.shape, updates.dtype)

    def step(state: tuple[Array, Array]) -> tuple[Array, Array]:
        done, x = state
        return done + 1, jnp.where(counts > done, combine(x, unused), x)

    start = jnp.zeros((), np.int32), operand
    return lax.while_loop(lambda state: jnp.any(counts > state[0]), step, start)[1]


def _applied(
    ctx: Context,
    operand: ir.Value,
    index: ir.Value,
    values: ir.Value,
    closed: core.ClosedJaxpr,
) -> ir.Value:
    """Return the values of a ``scatter_apply``, whose updates are functions of the old values."""
    current = ctx.op.GatherND(operand, index, shape=ctx.dims(values))
    combine = elementwise_monoid(closed)
    return ctx.lower_function(combine, (current, values))[0]


register_lowering(lax.scatter_p)(scatter("none"))
register_lowering(lax.scatter_add_p)(scatter("add"))
register_lowering(lax.scatter_mul_p)(scatter("mul"))
register_lowering(lax.scatter_max_p)(scatter("max"))
register_lowering(lax.scatter_min_p)(scatter("min"))


@register_lowering(lax.scatter_sub_p)
def _scatter_sub(
    ctx: Context, operand: ir.Value, indices: ir.Value, updates: ir.Value, **params: Any
) -> Results:
    return scatter("add")(ctx, operand, indices, ctx.op.Neg(updates), **params)
