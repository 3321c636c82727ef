"""Scatters with repeated indices, in pieces that ONNX Runtime applies on one thread.

ONNX allows repeated indices in a ScatterND that adds, multiplies or takes the smaller or larger
value. ONNX Runtime's cost model divides one of 210,000 or more elements of updates among its
threads, whatever their number, and these do not wait for each other. A smaller one runs on the
thread that calls it, in order, and takes a sixth of the time of ScatterElements.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import INT64
from jax2onnx.lower.rules.control_flow import repeat
from jax2onnx.trace.dimensions import Dim

_ON_ONE_THREAD = 2**17
"""Elements of the updates that are scattered at once."""

_COSTLY = 2**21
"""Elements of an operand that takes as long to copy as ScatterElements takes for a piece."""


def in_pieces(
    ctx: Context, rows: ir.Value, index: ir.Value, values: ir.Value, reduction: str
) -> ir.Value | None:
    """Combine rows with all of the values that go there, or return None if that has no advantage.

    The values that are more than a multiple of a piece come first; a Loop adds the others. It
    copies the rows for each piece, so many rows that take several pieces have no advantage; nor
    have rows of one element, for which ScatterElements is as fast.

    Args:
        ctx: the graph.
        rows: the old rows, (places, size).
        index: the place of each value, (count,).
        values: the new rows, (count, size).
        reduction: ``add``, ``mul``, ``max`` or ``min``.
    """
    (count, size), places = ctx.dims(values), ctx.dims(rows)[0]
    if not isinstance(size, int) or size < 2:
        return None
    index = ctx.reshape(index, (count, 1))
    if isinstance(count, int) and count * size <= _ON_ONE_THREAD:
        return _scattered(ctx, reduction, rows, index, values)
    if isinstance(places, int) and places * size > _COSTLY:
        return None
    piece = max(_ON_ONE_THREAD // size, 1)
    rest = count % piece
    if rest != 0:
        first = [_cut(ctx, v, ctx.constant(0, INT64), rest) for v in (index, values)]
        rows = _scattered(ctx, reduction, rows, *first)
    skipped = ctx.dim_scalar(rest)

    def step(branch: Context, number: ir.Value, carried: Sequence[ir.Value]) -> Sequence[ir.Value]:
        start = branch.op.Add(branch.op.Mul(number, piece), skipped)
        cut = [_cut(branch, v, start, piece) for v in (index, values)]
        return [_scattered(branch, reduction, carried[0], *cut)]

    kind = element_type(rows), ctx.dims(rows)
    return repeat(ctx, ctx.dim_scalar(count // piece), [rows], step, [kind])[0]


def _scattered(
    ctx: Context, reduction: str, rows: ir.Value, index: ir.Value, values: ir.Value
) -> ir.Value:
    return ctx.op.ScatterND(rows, index, values, reduction=reduction, shape=ctx.dims(rows))


def _cut(ctx: Context, value: ir.Value, start: ir.Value, count: Dim) -> ir.Value:
    """Return ``count`` rows of a value from ``start`` on, a scalar."""
    stop = ctx.op.Add(start, ctx.dim_scalar(count))
    bounds = (ctx.reshape(v, (1,)) for v in (start, stop))
    return ctx.op.Slice(value, *bounds, [0], shape=(count, *ctx.dims(value)[1:]))
