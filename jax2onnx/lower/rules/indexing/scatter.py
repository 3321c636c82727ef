"""Scatter: every scatter becomes one ScatterND on the operand with its indexed axes in front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir
from jax import lax
from jax.extend import core

from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import INT64
from jax2onnx.lower.registry import Results, Rule, register_lowering
from jax2onnx.lower.rules.indexing.grid import Batch, Grid, Label
from jax2onnx.lower.rules.windows import elementwise_monoid

Mode = lax.GatherScatterMode


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
        **_: object,
    ) -> ir.Value:
        numbers = dimension_numbers
        grid = _scatter_grid(ctx, operand, indices, updates, numbers)
        # XLA also drops updates that were promised to be inside and are not.
        valid = None if mode == Mode.CLIP else grid.in_bounds()
        grid.clamp()
        order = [*(a.axis for a in grid.axes), *grid.rest]
        leading = ctx.transpose(operand, order)
        components = grid.components() or [ctx.constant(0, INT64)]
        dims = ctx.dims(leading)
        if not grid.axes:  # every window is the whole operand
            leading = ctx.reshape(leading, (1, *dims))
        if valid is not None:
            leading, components[0] = _with_spare_row(ctx, leading, components[0], valid, grid)
        values = _arranged(ctx, updates, numbers.update_window_dims, grid)
        index = grid.stacked(components)
        if update_jaxpr is not None and reduction == "none":
            closed = core.ClosedJaxpr(update_jaxpr, update_consts)
            values = _applied(ctx, leading, index, values, closed)
        result = ctx.op.ScatterND(
            leading, index, values, reduction=reduction, shape=ctx.dims(leading)
        )
        if valid is not None:
            result = ctx.op.Slice(result, [0], [-1], [0], shape=dims)
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
