"""The grid of indices of a gather or scatter: where the windows are in the operand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.shapes import VIEWS
from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import BOOL, INT32, INT64
from jax2onnx.lower.rules.positions import arange, clamped, unwrapped
from jax2onnx.lower.rules.ranges import is_inside
from jax2onnx.trace.dimensions import Dim, Dims


class Batch(NamedTuple):
    """A batch dimension of the indices, by its position."""

    position: int


Label: TypeAlias = Batch | int
"""The meaning of an axis of the grid, or of gathered values: a batch dimension or operand axis."""


@dataclass
class Axis:
    """An indexed axis of the operand.

    Attributes:
        axis: its position in the operand.
        start: the first index of each window, which broadcasts to the batch dimensions.
        window: the number of indices in each window.
        free: whether the start is the user's, and may be outside.
        low: the least start inside: 0, or less if negative indices count from the end.
    """

    axis: int
    start: ir.Value
    window: Dim
    free: bool
    low: Dim = 0


class Grid:
    """The places of the windows of a gather or scatter in the operand.

    Args:
        ctx: the graph.
        operand_dims: the shape of the operand.
        indices: start indices, (batch, components).
        index_map: the operand axis of each component.
        batching: pairs of an operand axis and the batch dimension that runs along with it.
        sizes: the window's size on each operand axis.
        dropped: operand axes of window size 1 that the result or the updates do not have.
        whole: whether axes without a start are indexed too if the window is smaller than the axis.
            A scatter needs that; a gather cuts the operand instead.

    Attributes:
        batch_dims: the batch dimensions of the indices.
        paired: the batching pairs that run along, and are not indexed.
        elements: whether GatherElements does it: all axes but one run along with the indices.
        dtype: the element type of the indices.
        axes: the indexed axes, in the operand's order.
        short: axes without a start where the window is smaller than the axis.
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
            axes += [Axis(axis, self._counter(position), 1, False) for axis, position in batching]
        known = {*self.paired, *(a.axis for a in axes)}
        self.short = [a for a, d in enumerate(operand_dims) if a not in known and sizes[a] != d]
        if whole:
            zero = ctx.constant(0, INT64)
            axes += [Axis(a, zero, sizes[a], False) for a in self.short]
        self.axes = sorted(axes, key=lambda a: a.axis)

    def _indexed(self, indices: ir.Value, k: int, axis: int, whole: bool) -> Axis:
        """Return the indexed axis of component k, with the user's own index where it is known."""
        ctx, size = self.ctx, self.sizes[axis]
        start = self._component(indices, k)
        index = start if size == 1 and not whole else None
        while index is not None:
            plain = unwrapped(ctx, index, self.operand_dims[axis])
            if plain is not None:
                plain = ctx.cast(ctx.reshape(plain, self.batch_dims), self.dtype)
                return Axis(axis, plain, size, True, -self.operand_dims[axis])
            view = index.producer()
            index = view.inputs[0] if view is not None and view.op_type in VIEWS else None
        return Axis(axis, ctx.cast(start, self.dtype), size, True)

    def _component(self, indices: ir.Value, k: int) -> ir.Value:
        """Return component k of the indices, with the batch dimensions."""
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

    def _covers(self, axis: Axis) -> bool:
        """Return whether each window is known to be the whole axis, which needs no index then."""
        value: ir.Value | None = axis.start
        while value is not None and (node := value.producer()) is not None:
            if node.op_type not in VIEWS | {"Cast", "Expand"}:
                break
            value = node.inputs[0]
        start = self.ctx.builder.array(value)
        whole = self.operand_dims[axis.axis] == axis.window
        return bool(whole and start is not None and not start.any())

    def _counter(self, position: int) -> ir.Value:
        """Return 0, 1, 2... along one batch dimension."""
        size = self.batch_dims[position]
        aligned: list[Dim] = [size if i == position else 1 for i in range(len(self.batch_dims))]
        return self.ctx.reshape(arange(self.ctx, size), tuple(aligned))

    @property
    def shown(self) -> list[Axis]:
        """The indexed axes that the windows show."""
        return [a for a in self.axes if a.axis not in self.dropped]

    @property
    def rest(self) -> list[int]:
        """The operand axes that are neither indexed nor paired."""
        indexed = {*self.paired, *(a.axis for a in self.axes)}
        return [a for a in range(len(self.operand_dims)) if a not in indexed]

    @property
    def dims(self) -> Dims:
        """The shape of the grid: the batch dimensions, then the windows that are shown."""
        return (*self.batch_dims, *(a.window for a in self.shown))

    @property
    def order(self) -> list[Label]:
        """The label of each axis of the grid."""
        batch = [Batch(i) for i in range(len(self.batch_dims))]
        return [*batch, *(a.axis for a in self.shown)]

    def _number(self, dim: Dim) -> ir.Value:
        return self.ctx.cast(self.ctx.dim_scalar(dim), self.dtype)

    def _last(self, axis: Axis) -> Dim:
        return self.operand_dims[axis.axis] - axis.window

    def in_bounds(self) -> ir.Value | None:
        """Return whether each window is inside, over the batch; None if all are known to be."""
        ctx = self.ctx
        valid: ir.Value | None = None
        for axis in self.axes:
            last = self._last(axis)
            if not axis.free or is_inside(ctx, axis.start, axis.low, last):
                continue
            above = ctx.op.GreaterOrEqual(axis.start, self._number(axis.low))
            inside = ctx.op.And(above, ctx.op.LessOrEqual(axis.start, self._number(last)))
            valid = inside if valid is None else ctx.op.And(valid, inside)
        if valid is None:
            return None
        target = ctx.shape_tensor(self.batch_dims)
        return ctx.op.Expand(valid, target, dtype=BOOL, shape=self.batch_dims)

    def clamp(self) -> None:
        """Move every window inside the operand, as JAX does."""
        for axis in self.axes:
            if axis.free:
                axis.start = clamped(self.ctx, axis.start, axis.low, self._last(axis))

    def components(self) -> list[ir.Value]:
        """Return the index on each indexed axis, which broadcasts to ``dims``."""
        return [self._windowed(a) for a in self.axes]

    def _windowed(self, axis: Axis) -> ir.Value:
        ctx, shown = self.ctx, self.shown
        start = ctx.reshape(axis.start, (*ctx.dims(axis.start), *(1 for _ in shown)))
        if axis.axis in self.dropped:
            return start
        window: list[Dim] = [a.window if a is axis else 1 for a in shown]
        aligned = [1] * len(self.batch_dims) + window
        steps = ctx.cast(arange(ctx, axis.window), self.dtype)
        return ctx.op.Add(start, ctx.reshape(steps, tuple(aligned)))

    def stacked(self, components: Sequence[ir.Value]) -> ir.Value:
        """Return the index tensor of a GatherND or ScatterND: ``dims``, then the components."""
        ctx, dims = self.ctx, self.dims
        parts = [ctx.reshape(ctx.broadcast(c, dims), (*dims, 1)) for c in components]
        if len(parts) == 1:
            return parts[0]
        return ctx.op.Concat(*parts, axis=len(dims), dtype=INT64, shape=(*dims, len(parts)))
