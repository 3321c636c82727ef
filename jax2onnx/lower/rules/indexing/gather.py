"""Gather: a grid of indices becomes Gather, GatherElements or GatherND."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from jax import lax

from jax2onnx.lower.context import Context
from jax2onnx.lower.registry import register_lowering
from jax2onnx.lower.rules.indexing.grid import Batch, Grid, Label
from jax2onnx.trace.dimensions import Dims

Mode = lax.GatherScatterMode


@register_lowering(lax.gather_p)
def _gather(
    ctx: Context,
    operand: ir.Value,
    indices: ir.Value,
    *,
    dimension_numbers: lax.GatherDimensionNumbers,
    slice_sizes: Dims,
    mode: lax.GatherScatterMode,
    fill_value: float | None,
    **_: object,
) -> ir.Value:
    """Gather windows; one outside gives the fill value (FILL_OR_DROP), or else is clamped."""
    numbers = dimension_numbers
    grid = Grid(
        ctx,
        ctx.dims(operand),
        indices,
        index_map=numbers.start_index_map,
        batching=list(
            zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True)
        ),
        sizes=tuple(slice_sizes),
        dropped=(*numbers.collapsed_slice_dims, *numbers.operand_batching_dims),
        whole=False,
    )
    operand = _cut(ctx, operand, grid)
    valid = grid.in_bounds() if mode == Mode.FILL_OR_DROP else None
    grid.clamp()
    gathered, order = _gathered(ctx, operand, grid)
    batch = [a for a in range(len(ctx.out_dims)) if a not in numbers.offset_dims]
    shown = [a for a in range(len(slice_sizes)) if a not in grid.dropped]
    target: dict[int, Label] = dict(zip(numbers.offset_dims, shown, strict=True))
    target.update((position, Batch(i)) for i, position in enumerate(batch))
    result = ctx.transpose(gathered, [order.index(target[a]) for a in range(len(ctx.out_dims))])
    if valid is None:
        return result
    aligned = [ctx.out_dims[a] if a in batch else 1 for a in range(len(ctx.out_dims))]
    fill = ctx.constant(_fill_value(ctx.avals_out[0].dtype, fill_value), result)
    return ctx.op.Where(ctx.reshape(valid, tuple(aligned)), result, fill, shape=ctx.out_dims)


def _cut(ctx: Context, operand: ir.Value, grid: Grid) -> ir.Value:
    """Cut the operand to the window on axes that are not indexed."""
    if not grid.short:
        return operand
    ends = tuple(grid.sizes[a] for a in grid.short)
    dims = tuple(grid.sizes[a] if a in grid.short else d for a, d in enumerate(grid.operand_dims))
    starts = [0] * len(ends)
    return ctx.op.Slice(operand, starts, ctx.shape_tensor(ends), grid.short, shape=dims)


def _gathered(ctx: Context, operand: ir.Value, grid: Grid) -> tuple[ir.Value, list[Label]]:
    """Return the gathered values, and the label of each of their axes."""
    dims, rest, along = ctx.dims(operand), grid.rest, list(grid.paired)
    if grid.elements and grid.axes:
        return _elements(ctx, operand, grid)
    together = [grid.paired[a] for a in along]
    batch = [*together, *(i for i in range(len(grid.batch_dims)) if i not in together)]
    leading = ctx.transpose(operand, [*along, *(a.axis for a in grid.axes), *rest])
    order: list[Label] = [*(Batch(i) for i in batch), *(a.axis for a in grid.shown), *rest]
    if not grid.axes:
        apart = [1] * (len(batch) - len(along))
        shown = tuple(dims[a] for a in rest)
        aligned = ctx.reshape(leading, (*(dims[a] for a in along), *apart, *shown))
        return ctx.broadcast(aligned, (*(grid.batch_dims[i] for i in batch), *shown)), order
    components = grid.components()
    if len(components) == 1 and not along:
        axis = grid.axes[0].axis
        index = ctx.broadcast(components[0], grid.dims)
        shape = (*dims[:axis], *grid.dims, *dims[axis + 1 :])
        order = [*range(axis), *grid.order, *range(axis + 1, len(dims))]
        return ctx.op.Gather(operand, index, axis=axis, shape=shape), order
    index = grid.stacked(components)
    index = ctx.transpose(index, [*batch, *range(len(batch), len(grid.dims) + 1)])
    shape = (*ctx.dims(index)[:-1], *(dims[a] for a in rest))
    return ctx.op.GatherND(leading, index, batch_dims=len(along), shape=shape), order


def _elements(ctx: Context, operand: ir.Value, grid: Grid) -> tuple[ir.Value, list[Label]]:
    """Return the same by GatherElements: all axes but the indexed one run along."""
    (indexed,) = grid.axes
    free = [i for i in range(len(grid.batch_dims)) if i not in grid.paired.values()]
    parts = [[grid.paired[a]] if a in grid.paired else free for a in range(len(grid.operand_dims))]
    batch = [i for part in parts for i in part]
    shape = tuple(grid.batch_dims[part[0]] if part else 1 for part in parts)
    index = ctx.reshape(ctx.transpose(indexed.start, batch), shape)
    result = ctx.op.GatherElements(operand, index, axis=indexed.axis, shape=shape)
    return ctx.reshape(result, tuple(grid.batch_dims[i] for i in batch)), [Batch(i) for i in batch]


def _fill_value(dtype: np.dtype[Any], given: float | None) -> float:
    """Return JAX's value for a window outside: NaN, the lowest integer or the highest unsigned."""
    if given is not None:
        return given
    if dtype.kind == "i":
        return int(np.iinfo(dtype).min)
    if dtype.kind == "u":
        return int(np.iinfo(dtype).max)
    return True if dtype == np.bool_ else np.nan
