"""Dynamic slices and their updates, whose start JAX clamps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from jax import lax

from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import INT64
from jax2onnx.lower.registry import register_lowering
from jax2onnx.lower.rules.positions import clamped, unwrapped
from jax2onnx.trace.dimensions import Dim, Dims


def _clamped_starts(
    ctx: Context, starts: Sequence[ir.Value], dims: Dims, sizes: Dims, *, from_end: bool = False
) -> dict[int, ir.Value]:
    """Return the starts of a window, moved so that it is inside: one-element int64 tensors by axis.

    Axes where the window is whole are left out. With ``from_end``, a start on the only axis, where
    the window has size 1, may be negative and count from the end, as Gather takes it.
    """
    result = {}
    moving = [a for a, (dim, size) in enumerate(zip(dims, sizes, strict=True)) if dim != size]
    for axis in moving:
        start, size = starts[axis], sizes[axis]
        low: Dim = 0
        if from_end and len(moving) == 1 and size == 1:
            plain = unwrapped(ctx, start, dims[axis])
            start, low = (start, 0) if plain is None else (plain, -dims[axis])
        first = clamped(ctx, ctx.cast(start, INT64), low, dims[axis] - size)
        result[axis] = ctx.reshape(first, (1,))
    return result


@register_lowering(lax.dynamic_slice_p)
def _dynamic_slice(
    ctx: Context, operand: ir.Value, *starts: ir.Value, slice_sizes: Dims
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
    """Return ``operand`` with a window replaced, as a Concat of three parts along one axis.

    ``starts`` are the axes where the window is not whole, each with its start there.
    """
    if not starts:
        return update
    (axis, start), *rest = starts
    dims = ctx.dims(operand)
    size = ctx.dims(update)[axis]
    end = ctx.op.Add(start, ctx.shape_tensor((size,)))
    whole = ctx.builder.constant([np.iinfo(np.int64).max], np.int64)

    # The outer parts have sizes without an expression; ONNX Runtime takes equal names for equal
    # sizes, so that their names must differ.
    number = len(ctx.builder.nodes)

    def cut(first: ir.Value, last: ir.Value, length: Any) -> ir.Value:
        shape = (*dims[:axis], length, *dims[axis + 1 :])
        return ctx.op.Slice(operand, first, last, [axis], shape=shape)

    middle = _update(ctx, cut(start, end, size), update, rest) if rest else update
    before = cut(ctx.constant([0], INT64), start, f"before_{number}")
    after = cut(end, whole, f"after_{number}")
    return ctx.op.Concat(before, middle, after, axis=axis, shape=dims)
