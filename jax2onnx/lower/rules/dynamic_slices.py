"""Dynamic slices and their updates, with JAX's clamping of the start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from jax import lax

from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import INT64
from jax2onnx.lower.registry import register_lowering
from jax2onnx.lower.rules.positions import clamped, unwrapped


def _clamped_starts(
    ctx: Context,
    starts: Sequence[ir.Value],
    dims: Sequence[Any],
    sizes: Sequence[Any],
    *,
    from_end: bool = False,
) -> dict[int, ir.Value]:
    """One-element int64 starts of a window, by axis, moved inside; whole axes are left out.

    With ``from_end``, the start of the only one, if of size 1, may be negative: Gather counts so.
    """
    result = {}
    moving = [a for a, (dim, size) in enumerate(zip(dims, sizes, strict=True)) if dim != size]
    for axis in moving:
        start, low, size = starts[axis], 0, sizes[axis]
        if from_end and len(moving) == 1 and size == 1:
            plain = unwrapped(ctx, start, dims[axis])
            start, low = (start, 0) if plain is None else (plain, -dims[axis])
        high = ctx.dim_scalar(dims[axis] - size)
        first = clamped(ctx, ctx.cast(start, INT64), ctx.dim_scalar(low), high)
        result[axis] = ctx.reshape(first, (1,))
    return result


@register_lowering(lax.dynamic_slice_p)
def _dynamic_slice(
    ctx: Context, operand: ir.Value, *starts: ir.Value, slice_sizes: Sequence[Any]
) -> ir.Value:
    dims = ctx.dims(operand)
    inside = _clamped_starts(ctx, starts[: len(dims)], dims, slice_sizes, from_end=True)
    if not inside:
        return operand
    if len(inside) == 1 and slice_sizes[axis := next(iter(inside))] == 1:
        index, rest = ctx.reshape(inside[axis], ()), (*dims[:axis], *dims[axis + 1 :])
        return ctx.reshape(ctx.op.Gather(operand, index, axis=axis, shape=rest), ctx.out_dims)
    axes = list(inside)
    first = _concat(ctx, list(inside.values()))
    sizes = ctx.shape_tensor(tuple(slice_sizes[a] for a in axes))
    return ctx.op.Slice(operand, first, ctx.op.Add(first, sizes), axes, shape=ctx.out_dims)


def _concat(ctx: Context, parts: Sequence[ir.Value]) -> ir.Value:
    if len(parts) == 1:
        return parts[0]
    return ctx.op.Concat(*parts, axis=0, dtype=INT64, shape=(len(parts),))


@register_lowering(lax.dynamic_update_slice_p)
def _dynamic_update_slice(
    ctx: Context, operand: ir.Value, update: ir.Value, *starts: ir.Value
) -> ir.Value:
    dims, sizes = ctx.dims(operand), ctx.dims(update)
    inside = _clamped_starts(ctx, starts, dims, sizes)
    return _update(ctx, operand, update, list(inside.items()))


def _update(
    ctx: Context, operand: ir.Value, update: ir.Value, starts: Sequence[tuple[int, ir.Value]]
) -> ir.Value:
    """What lies before the window, the window, and what lies behind it, along the first axis."""
    if not starts:
        return update
    (axis, start), *rest = starts
    dims = ctx.dims(operand)
    size = ctx.dims(update)[axis]
    end = ctx.op.Add(start, ctx.shape_tensor((size,)))
    whole = ctx.builder.constant([np.iinfo(np.int64).max], np.int64)

    number = len(ctx.builder.nodes)  # ONNX Runtime takes equal names for equal sizes

    def cut(first: ir.Value, last: ir.Value, length: Any) -> ir.Value:
        shape = (*dims[:axis], length, *dims[axis + 1 :])
        return ctx.op.Slice(operand, first, last, [axis], shape=shape)

    middle = _update(ctx, cut(start, end, size), update, rest) if rest else update
    before = cut(ctx.constant([0], INT64), start, f"before_{number}")
    after = cut(end, whole, f"after_{number}")
    return ctx.op.Concat(before, middle, after, axis=axis, shape=dims)
