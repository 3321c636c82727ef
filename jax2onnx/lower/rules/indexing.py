"""Gather and scatter: windows of an operand at computed positions.

Both come down to one grid of indices. The indexed axes of the operand are brought to the front; an
index tensor over (batch, window) says where each element lies on them; the other axes go along
whole. One indexed axis is a Gather, or a GatherElements where all others are batch dimensions;
several are a GatherND; every scatter is a ScatterND.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from jax import lax

from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import BOOL, INT32, INT64
from jax2onnx.lower.registry import Results, Rule, register_lowering
from jax2onnx.lower.rules.positions import arange, clamped, unwrapped
from jax2onnx.lower.rules.windows import elementwise_monoid
from jax2onnx.trace.dimensions import Dims

Mode = lax.GatherScatterMode


@dataclass
class _Axis:
    """An indexed axis of the operand.

    Attributes:
        axis: its position in the operand.
        start: first index of each window, int64, broadcastable to the batch dimensions.
        window: the number of indices in each window.
        free: whether the start is the user's, and may lie outside.
        low: the least start inside: 0, or less where negative ones count from the end.
    """

    axis: int
    start: ir.Value
    window: Any
    free: bool
    low: Any = 0


class _Grid:
    """Where the windows of a gather or scatter lie in the operand.

    Args:
        operand_dims: shape of the operand.
        indices: start indices; the last axis holds one component for each of ``index_map``.
        index_map: the operand axis of each component.
        batching: pairs of an operand axis and the batch axis that runs along with it.
        sizes: the window's size on each operand axis.
        dropped: operand axes (of window 1) that the windows do not show.
        whole: axes without a start that are cut short are indexed too (a scatter cannot cut).
    """

    def __init__(
        self,
        ctx: Context,
        operand_dims: Dims,
        indices: ir.Value,
        *,
        index_map: Sequence[int],
        batching: Sequence[tuple[int, int]],
        sizes: Dims,
        dropped: Sequence[int],
        whole: bool,
    ) -> None:
        self.ctx = ctx
        self.operand_dims = operand_dims
        self.sizes = sizes
        self.dropped = frozenset(dropped)
        self.batch_dims = ctx.dims(indices)[:-1]
        self.paired = {} if whole else dict(batching)
        self.elements = (
            bool(self.paired)
            and len(operand_dims) - len(batching) == 1
            and len(self.batch_dims) - len(batching) <= 1
            and self.dropped.issuperset(index_map)
        )
        # Gather and GatherElements take 32-bit indices too, GatherND and ScatterND do not.
        single = len(index_map) == 1 and not whole and (self.elements or not batching)
        narrow = single and element_type(indices) != INT64
        self.dtype = INT32 if narrow else INT64
        axes = [self._indexed(indices, k, axis, whole) for k, axis in enumerate(index_map)]
        axes = [a for a in axes if not (self._covers(a) and a.axis not in self.dropped)]
        if whole:
            axes += [_Axis(axis, self._counter(position), 1, False) for axis, position in batching]
        known = {*self.paired, *(a.axis for a in axes)}
        self.short = [a for a, d in enumerate(operand_dims) if a not in known and sizes[a] != d]
        if whole:
            zero = ctx.constant(0, INT64)
            axes += [_Axis(a, zero, sizes[a], False) for a in self.short]
        self.axes = sorted(axes, key=lambda a: a.axis)

    def _indexed(self, indices: ir.Value, k: int, axis: int, whole: bool) -> _Axis:
        ctx, size = self.ctx, self.sizes[axis]
        start = self._component(indices, k)
        index = start if size == 1 and not whole else None
        while index is not None:
            plain = unwrapped(ctx, index, self.operand_dims[axis])
            if plain is not None:
                plain = ctx.cast(ctx.reshape(plain, self.batch_dims), self.dtype)
                return _Axis(axis, plain, size, True, -self.operand_dims[axis])
            view = index.producer()
            is_view = view is not None and view.op_type in ("Reshape", "Squeeze", "Unsqueeze")
            index = view.inputs[0] if view is not None and is_view else None
        return _Axis(axis, ctx.cast(start, self.dtype), size, True)

    def _component(self, indices: ir.Value, k: int) -> ir.Value:
        ctx, rank = self.ctx, len(self.batch_dims)
        node = indices.producer()
        if node is not None and node.op_type == "Concat" and len(node.inputs) > k:
            part = node.inputs[k]
            assert part is not None
            if all(v is not None and ctx.dims(v) == (*self.batch_dims, 1) for v in node.inputs):
                return ctx.reshape(part, self.batch_dims)
        if ctx.dims(indices)[-1] == 1:
            return ctx.reshape(indices, self.batch_dims)
        position = ctx.builder.constant(np.asarray(k, np.int64))
        return ctx.op.Gather(indices, position, axis=rank, shape=self.batch_dims)

    def _covers(self, axis: _Axis) -> bool:
        """Whether each window is known to be the whole axis, so that it is no indexed one."""
        value: ir.Value | None = axis.start
        while value is not None and (node := value.producer()) is not None:
            if node.op_type not in ("Cast", "Expand", "Reshape", "Squeeze", "Unsqueeze"):
                break
            value = node.inputs[0]
        start = self.ctx.builder.array(value)
        whole = self.operand_dims[axis.axis] == axis.window
        return bool(whole and start is not None and not start.any())

    def _counter(self, position: int) -> ir.Value:
        """0, 1, 2... along one batch dimension."""
        size = self.batch_dims[position]
        aligned = [size if i == position else 1 for i in range(len(self.batch_dims))]
        return self.ctx.reshape(arange(self.ctx, size), tuple(aligned))

    @property
    def shown(self) -> list[_Axis]:
        """The indexed axes that the windows show."""
        return [a for a in self.axes if a.axis not in self.dropped]

    @property
    def rest(self) -> list[int]:
        """The operand axes that go along whole."""
        indexed = {*self.paired, *(a.axis for a in self.axes)}
        return [a for a in range(len(self.operand_dims)) if a not in indexed]

    @property
    def dims(self) -> Dims:
        """Shape of the index grid: the batch, then the windows of the indexed axes."""
        return (*self.batch_dims, *(a.window for a in self.shown))

    @property
    def order(self) -> list[Any]:
        """What each axis of the grid is: a batch position, or an operand axis."""
        batch = [("batch", i) for i in range(len(self.batch_dims))]
        return [*batch, *(a.axis for a in self.shown)]

    def _number(self, dim: Any) -> ir.Value:
        return self.ctx.cast(self.ctx.dim_scalar(dim), self.dtype)

    def _last(self, axis: _Axis) -> ir.Value:
        return self._number(self.operand_dims[axis.axis] - axis.window)

    def in_bounds(self) -> ir.Value | None:
        """Whether each window lies inside, over the batch; None where that is known."""
        ctx = self.ctx
        valid: ir.Value | None = None
        for axis in self.axes:
            if not axis.free:
                continue
            above = ctx.op.GreaterOrEqual(axis.start, self._number(axis.low))
            inside = ctx.op.And(above, ctx.op.LessOrEqual(axis.start, self._last(axis)))
            array = ctx.builder.array(inside)
            if array is None or not array.all():
                valid = inside if valid is None else ctx.op.And(valid, inside)
        if valid is None:
            return None
        target = ctx.shape_tensor(self.batch_dims)
        return ctx.op.Expand(valid, target, dtype=BOOL, shape=self.batch_dims)

    def clamp(self) -> None:
        """Moves every window inside the operand, as JAX does."""
        for axis in self.axes:
            if axis.free:
                low, high = self._number(axis.low), self._last(axis)
                axis.start = clamped(self.ctx, axis.start, low, high)

    def components(self) -> list[ir.Value]:
        """The index on each indexed axis, broadcastable to `dims`."""
        return [self._windowed(a) for a in self.axes]

    def _windowed(self, axis: _Axis) -> ir.Value:
        ctx, shown = self.ctx, self.shown
        start = ctx.reshape(axis.start, (*ctx.dims(axis.start), *(1 for _ in shown)))
        if axis.axis in self.dropped:
            return start
        aligned = [1] * len(self.batch_dims) + [a.window if a is axis else 1 for a in shown]
        steps = ctx.cast(arange(ctx, axis.window), self.dtype)
        return ctx.op.Add(start, ctx.reshape(steps, tuple(aligned)))

    def stacked(self, components: Sequence[ir.Value]) -> ir.Value:
        """An index tensor for GatherND and ScatterND: `dims`, and one axis of components."""
        ctx, dims = self.ctx, self.dims
        parts = [ctx.reshape(ctx.broadcast(c, dims), (*dims, 1)) for c in components]
        if len(parts) == 1:
            return parts[0]
        return ctx.op.Concat(*parts, axis=len(dims), dtype=INT64, shape=(*dims, len(parts)))


# -- gather --------------------------------------------------------------------------------------


@register_lowering(lax.gather_p)
def _gather(
    ctx: Context,
    operand: ir.Value,
    indices: ir.Value,
    *,
    dimension_numbers: lax.GatherDimensionNumbers,
    slice_sizes: Dims,
    mode: lax.GatherScatterMode,
    fill_value: Any,
    **_: Any,
) -> ir.Value:
    """An index outside gives the fill value (FILL_OR_DROP), or is clamped, as XLA does it."""
    numbers = dimension_numbers
    grid = _Grid(
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
    target: list[Any] = [None] * len(ctx.out_dims)
    shown = [a for a in range(len(slice_sizes)) if a not in grid.dropped]
    for position, axis in zip(numbers.offset_dims, shown, strict=True):
        target[position] = axis
    for i, position in enumerate(batch):
        target[position] = ("batch", i)
    result = ctx.transpose(gathered, [order.index(t) for t in target])
    if valid is None:
        return result
    aligned = [ctx.out_dims[a] if a in batch else 1 for a in range(len(ctx.out_dims))]
    fill = ctx.constant(_fill_value(ctx.avals_out[0].dtype, fill_value), result)
    return ctx.op.Where(ctx.reshape(valid, tuple(aligned)), result, fill, shape=ctx.out_dims)


def _cut(ctx: Context, operand: ir.Value, grid: _Grid) -> ir.Value:
    """The operand without what lies past the window on axes that are not indexed."""
    if not grid.short:
        return operand
    ends = tuple(grid.sizes[a] for a in grid.short)
    dims = tuple(grid.sizes[a] if a in grid.short else d for a, d in enumerate(grid.operand_dims))
    starts = [0] * len(ends)
    return ctx.op.Slice(operand, starts, ctx.shape_tensor(ends), grid.short, shape=dims)


def _gathered(ctx: Context, operand: ir.Value, grid: _Grid) -> tuple[ir.Value, list[Any]]:
    """The gathered values, and what each of their axes is (see `_Grid.order`)."""
    dims, rest, along = ctx.dims(operand), grid.rest, list(grid.paired)
    if grid.elements and grid.axes:
        return _elements(ctx, operand, grid)
    together = [grid.paired[a] for a in along]
    batch = [*together, *(i for i in range(len(grid.batch_dims)) if i not in together)]
    leading = ctx.transpose(operand, [*along, *(a.axis for a in grid.axes), *rest])
    order = [*(("batch", i) for i in batch), *(a.axis for a in grid.shown), *rest]
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


def _elements(ctx: Context, operand: ir.Value, grid: _Grid) -> tuple[ir.Value, list[Any]]:
    """The same where all axes but the indexed one run along with the indices."""
    (indexed,) = grid.axes
    free = [i for i in range(len(grid.batch_dims)) if i not in grid.paired.values()]
    parts = [[grid.paired[a]] if a in grid.paired else free for a in range(len(grid.operand_dims))]
    batch = [i for part in parts for i in part]
    shape = tuple(grid.batch_dims[part[0]] if part else 1 for part in parts)
    index = ctx.reshape(ctx.transpose(indexed.start, batch), shape)
    result = ctx.op.GatherElements(operand, index, axis=indexed.axis, shape=shape)
    return ctx.reshape(result, tuple(grid.batch_dims[i] for i in batch)), [
        ("batch", i) for i in batch
    ]


def _fill_value(dtype: Any, given: Any) -> Any:
    """JAX's value for what lies out of bounds: NaN, the lowest integer, the highest unsigned."""
    if given is not None:
        return given
    if np.issubdtype(dtype, np.signedinteger):
        return np.iinfo(dtype).min
    if np.issubdtype(dtype, np.unsignedinteger):
        return np.iinfo(dtype).max
    return True if dtype == np.bool_ else np.nan


# -- scatter -------------------------------------------------------------------------------------


def scatter(reduction: str) -> Rule:
    """A rule for a scatter that combines by ``reduction`` of ScatterND."""

    def rule(
        ctx: Context,
        operand: ir.Value,
        indices: ir.Value,
        updates: ir.Value,
        *,
        dimension_numbers: lax.ScatterDimensionNumbers,
        mode: lax.GatherScatterMode,
        update_jaxpr: Any,
        update_consts: Any,
        **_: Any,
    ) -> ir.Value:
        numbers = dimension_numbers
        grid = _scatter_grid(ctx, operand, indices, updates, numbers)
        # What is promised to lie inside, and does not, XLA drops.
        valid = None if mode == Mode.CLIP else grid.in_bounds()
        grid.clamp()
        order = [*(a.axis for a in grid.axes), *grid.rest]
        leading = ctx.transpose(operand, order)
        components = grid.components() or [ctx.constant(0, INT64)]
        dims = ctx.dims(leading)
        if not grid.axes:  # one window, the whole operand, maybe many times
            leading = ctx.reshape(leading, (1, *dims))
        if valid is not None:
            leading, components[0] = _with_spare_row(ctx, leading, components[0], valid, grid)
        values = _arranged(ctx, updates, numbers.update_window_dims, grid)
        index = grid.stacked(components)
        if update_jaxpr is not None and reduction == "none":
            values = _applied(ctx, leading, index, values, update_jaxpr, update_consts)
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
) -> _Grid:
    dropped = (*numbers.inserted_window_dims, *numbers.operand_batching_dims)
    windows = iter(ctx.dims(updates)[a] for a in numbers.update_window_dims)
    rank = len(ctx.dims(operand))
    return _Grid(
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
    ctx: Context, updates: ir.Value, update_window_dims: Sequence[int], grid: _Grid
) -> ir.Value:
    """The updates in the order of the index grid, then the axes that go along whole."""
    rank = len(ctx.dims(updates))
    batch = [a for a in range(rank) if a not in update_window_dims]
    shown = [a for a in range(len(grid.operand_dims)) if a not in grid.dropped]
    position: dict[Any, int] = dict(zip(shown, update_window_dims, strict=True))
    position.update((("batch", i), a) for i, a in enumerate(batch))
    return ctx.transpose(updates, [position[o] for o in [*grid.order, *grid.rest]])


def _with_spare_row(
    ctx: Context, operand: ir.Value, first: ir.Value, valid: ir.Value, grid: _Grid
) -> tuple[ir.Value, ir.Value]:
    """A row behind the operand's last, where updates go that JAX drops."""
    dims = ctx.dims(operand)
    pads = [0] * (2 * len(dims))
    pads[len(dims)] = 1
    longer = ctx.op.Pad(operand, pads, ctx.constant(0, operand), shape=(dims[0] + 1, *dims[1:]))
    mask = ctx.reshape(valid, (*grid.batch_dims, *(1 for _ in grid.shown)))
    return longer, ctx.op.Where(mask, first, ctx.dim_scalar(dims[0]))


def _applied(
    ctx: Context, operand: ir.Value, index: ir.Value, values: ir.Value, jaxpr: Any, consts: Any
) -> ir.Value:
    """``scatter_apply``: a function of what lies at each place, and of the update."""
    current = ctx.op.GatherND(operand, index, shape=ctx.dims(values))

    combine = elementwise_monoid(jaxpr, consts)
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
