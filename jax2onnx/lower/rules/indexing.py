"""Indexing: gather, dynamic slices and their updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from jax import lax

from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import BOOL, INT64
from jax2onnx.lower.registry import register_lowering

CLIP, FILL = lax.GatherScatterMode.CLIP, lax.GatherScatterMode.FILL_OR_DROP


@register_lowering(lax.gather_p)
def _gather(
    ctx: Context,
    operand: ir.Value,
    indices: ir.Value,
    *,
    dimension_numbers: lax.GatherDimensionNumbers,
    slice_sizes: Sequence[Any],
    mode: lax.GatherScatterMode,
    fill_value: Any,
    **_: Any,
) -> ir.Value:
    """Gather along one axis, GatherND along several; windows become more indices.

    Axes that are not indexed lie whole (or cut to the window) in the result. An index is clamped
    (CLIP), or its result replaced by the fill value where it is out of bounds (FILL_OR_DROP).
    """
    numbers = dimension_numbers
    batch = _batch_axes(ctx, numbers.offset_dims)
    starts = _Starts(ctx, operand, indices, numbers, tuple(slice_sizes))
    operand = starts.cut(operand)
    if not starts.axes:
        aligned = [1] * len(batch) + list(ctx.dims(operand))
        gathered = ctx.reshape(operand, tuple(aligned))
        gathered = ctx.broadcast(gathered, (*starts.batch_dims, *ctx.dims(operand)))
        return ctx.transpose(gathered, _result_order(batch, numbers.offset_dims))
    valid = starts.in_bounds() if mode == FILL else None
    if mode != lax.GatherScatterMode.PROMISE_IN_BOUNDS:
        starts.clamp()
    gathered, order = starts.gather(operand)
    offset_axes = [a for a in range(len(slice_sizes)) if a not in starts.dropped]
    # ``order`` tells which operand axis (or "batch") each axis of ``gathered`` is.
    target: list[Any] = [None] * len(ctx.out_dims)
    for position, axis in zip(numbers.offset_dims, offset_axes, strict=True):
        target[position] = axis
    for i, position in enumerate(batch):
        target[position] = ("batch", i)
    result = ctx.transpose(gathered, [order.index(t) for t in target])
    if valid is None:
        return result
    return _filled(ctx, result, valid, batch, fill_value)


def _batch_axes(ctx: Context, offset_dims: Sequence[int]) -> list[int]:
    return [a for a in range(len(ctx.out_dims)) if a not in offset_dims]


def _result_order(batch: Sequence[int], offset_dims: Sequence[int]) -> list[int]:
    positions = [*batch, *offset_dims]
    return [positions.index(i) for i in range(len(positions))]


def _filled(
    ctx: Context, result: ir.Value, valid: ir.Value, batch: Sequence[int], fill_value: Any
) -> ir.Value:
    array = ctx.builder.array(valid)
    if array is not None and array.all():
        return result
    aligned: list[Any] = [1] * len(ctx.out_dims)
    for position in batch:
        aligned[position] = ctx.out_dims[position]
    fill = _fill_value(ctx.avals_out[0].dtype, fill_value)
    return ctx.op.Where(
        ctx.reshape(valid, tuple(aligned)),
        result,
        ctx.constant(fill, result),
        shape=ctx.out_dims,
    )


def _fill_value(dtype: Any, given: Any) -> Any:
    """JAX's value for what lies out of bounds: NaN, the lowest integer, the highest unsigned."""
    if given is not None:
        return given
    if np.issubdtype(dtype, np.signedinteger):
        return np.iinfo(dtype).min
    if np.issubdtype(dtype, np.unsignedinteger):
        return np.iinfo(dtype).max
    return True if dtype == np.bool_ else np.nan


@dataclass
class _Axis:
    """An indexed axis of the operand: the first index of each window, and the window's size."""

    axis: int
    start: ir.Value
    window: Any
    batching: bool


class _Starts:
    """The start indices of a gather, axis by axis, as int64 values over the batch dimensions."""

    def __init__(
        self,
        ctx: Context,
        operand: ir.Value,
        indices: ir.Value,
        numbers: lax.GatherDimensionNumbers,
        slice_sizes: tuple[Any, ...],
    ) -> None:
        self.ctx = ctx
        self.sizes = slice_sizes
        self.operand_dims = ctx.dims(operand)
        self.batch_dims = ctx.dims(indices)[:-1]
        self.dropped = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
        self.axes: list[_Axis] = []
        for k, axis in enumerate(numbers.start_index_map):
            start = self._component(indices, k)
            self.axes.append(_Axis(axis, start, slice_sizes[axis], False))
        for axis, position in zip(
            numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True
        ):
            self.axes.append(_Axis(axis, self._counter(position), 1, True))
        self.axes.sort(key=lambda a: a.axis)

    def _component(self, indices: ir.Value, k: int) -> ir.Value:
        ctx, rank = self.ctx, len(self.batch_dims)
        if ctx.dims(indices)[-1] == 1:
            return ctx.cast(ctx.reshape(indices, self.batch_dims), INT64)
        component = ctx.op.Gather(
            indices,
            ctx.builder.constant(np.asarray(k, np.int64)),
            axis=rank,
            shape=self.batch_dims,
        )
        return ctx.cast(component, INT64)

    def _counter(self, position: int) -> ir.Value:
        """0, 1, 2... along one batch dimension."""
        size = self.batch_dims[position]
        aligned = [size if i == position else 1 for i in range(len(self.batch_dims))]
        return self.ctx.reshape(arange(self.ctx, size), tuple(aligned))

    def cut(self, operand: ir.Value) -> ir.Value:
        """The operand without what lies past the window on axes that are not indexed."""
        indexed = {a.axis for a in self.axes}
        axes = [
            a
            for a, (size, dim) in enumerate(zip(self.sizes, self.operand_dims, strict=True))
            if a not in indexed and size != dim
        ]
        if not axes:
            return operand
        ends = tuple(self.sizes[a] for a in axes)
        dims = tuple(
            s if a in axes else d
            for a, (s, d) in enumerate(zip(self.sizes, self.operand_dims, strict=True))
        )
        return self.ctx.op.Slice(
            operand,
            [0] * len(axes),
            self.ctx.shape_tensor(ends),
            axes,
            shape=dims,
        )

    def _last(self, axis: _Axis) -> ir.Value:
        return self.ctx.dim_scalar(self.operand_dims[axis.axis] - axis.window)

    def in_bounds(self) -> ir.Value:
        """Whether each window lies inside the operand, over the batch dimensions."""
        ctx = self.ctx
        valid = ctx.builder.constant(np.asarray(True))
        for axis in self.axes:
            if axis.batching:
                continue
            above = ctx.op.GreaterOrEqual(axis.start, 0)
            below = ctx.op.LessOrEqual(axis.start, self._last(axis))
            inside = ctx.op.And(above, below)
            known = ctx.builder.array(valid)
            valid = inside if known is not None and known.all() else ctx.op.And(valid, inside)
        return ctx.op.Expand(
            valid, ctx.shape_tensor(self.batch_dims), dtype=BOOL, shape=self.batch_dims
        )

    def clamp(self) -> None:
        """Moves every window inside the operand, as JAX does."""
        for axis in self.axes:
            if not axis.batching:
                low = self.ctx.op.Max(axis.start, self.ctx.constant(0, INT64))
                axis.start = self.ctx.op.Min(low, self._last(axis))

    def gather(self, operand: ir.Value) -> tuple[ir.Value, list[Any]]:
        """The gathered values, and the operand axis (or batch position) of each of their axes."""
        ctx = self.ctx
        windows = [a for a in self.axes if a.axis not in self.dropped]
        dims = (*self.batch_dims, *(a.window for a in windows))
        index_order: list[Any] = [("batch", i) for i in range(len(self.batch_dims))]
        index_order += [a.axis for a in windows]
        components = [self._windowed(a, windows) for a in self.axes]
        rest = [a for a in range(len(self.sizes)) if a not in {x.axis for x in self.axes}]
        operand_dims = ctx.dims(operand)
        if len(components) == 1:
            axis = self.axes[0].axis
            index = ctx.broadcast(components[0], dims)
            shape = (*operand_dims[:axis], *dims, *operand_dims[axis + 1 :])
            gathered = ctx.op.Gather(operand, index, axis=axis, shape=shape)
            return gathered, [*range(axis), *index_order, *range(axis + 1, len(self.sizes))]
        stacked = [ctx.reshape(ctx.broadcast(c, dims), (*dims, 1)) for c in components]
        index = ctx.op.Concat(*stacked, axis=len(dims), dtype=INT64, shape=(*dims, len(components)))
        leading = ctx.transpose(operand, [*(a.axis for a in self.axes), *rest])
        shape = (*dims, *(operand_dims[a] for a in rest))
        gathered = ctx.op.GatherND(leading, index, shape=shape)
        return gathered, [*index_order, *rest]

    def _windowed(self, axis: _Axis, windows: Sequence[_Axis]) -> ir.Value:
        """Indices of an axis over (batch, windows): its start, plus its place in the window."""
        ctx = self.ctx
        start_dims = ctx.dims(axis.start)
        start = ctx.reshape(axis.start, (*start_dims, *(1 for _ in windows)))
        if axis.axis in self.dropped:
            return start
        aligned = [1] * len(self.batch_dims) + [
            a.window if a.axis == axis.axis else 1 for a in windows
        ]
        return ctx.op.Add(start, ctx.reshape(arange(ctx, axis.window), tuple(aligned)))


def arange(ctx: Context, size: Any) -> ir.Value:
    """0, 1, ... size - 1 as int64."""
    if isinstance(size, int):
        return ctx.builder.constant(np.arange(size, dtype=np.int64))
    zero, one = ctx.constant(0, INT64), ctx.constant(1, INT64)
    return ctx.op.Range(zero, ctx.dim_scalar(size), one, dtype=INT64, shape=(size,))


def _clamped_starts(
    ctx: Context, starts: Sequence[ir.Value], dims: Sequence[Any], sizes: Sequence[Any]
) -> dict[int, ir.Value]:
    """One-element int64 starts of a window, by axis, moved inside; whole axes are left out."""
    result = {}
    for axis, (start, dim, size) in enumerate(zip(starts, dims, sizes, strict=True)):
        if dim == size:
            continue
        first = ctx.reshape(ctx.cast(start, INT64), (1,))
        last = ctx.shape_tensor((dim - size,))
        result[axis] = ctx.op.Min(ctx.op.Max(first, ctx.constant([0], INT64)), last)
    return result


@register_lowering(lax.dynamic_slice_p)
def _dynamic_slice(
    ctx: Context, operand: ir.Value, *starts: ir.Value, slice_sizes: Sequence[Any]
) -> ir.Value:
    dims = ctx.dims(operand)
    clamped = _clamped_starts(ctx, starts[: len(dims)], dims, slice_sizes)
    if not clamped:
        return operand
    axes = list(clamped)
    first = _concat(ctx, list(clamped.values()))
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
    clamped = _clamped_starts(ctx, starts, dims, sizes)
    return _update(ctx, operand, update, list(clamped.items()))


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

    def cut(first: ir.Value, last: ir.Value, length: Any) -> ir.Value:
        shape = (*dims[:axis], length, *dims[axis + 1 :])
        return ctx.op.Slice(operand, first, last, [axis], shape=shape)

    middle = _update(ctx, cut(start, end, size), update, rest) if rest else update
    before = cut(ctx.constant([0], INT64), start, "before")
    after = cut(end, whole, "after")
    return ctx.op.Concat(before, middle, after, axis=axis, shape=dims)
