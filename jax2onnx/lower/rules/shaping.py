"""Primitives that move elements, or make constant ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from jax import lax
from jax.typing import DTypeLike

from jax2onnx import jax_internals
from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import INT64
from jax2onnx.lower.registry import register_lowering
from jax2onnx.trace.dimensions import Dim, Dims, is_empty, is_static


@register_lowering(lax.broadcast_in_dim_p)
def _broadcast_in_dim(
    ctx: Context,
    x: ir.Value,
    *_: ir.Value,
    shape: Dims,
    broadcast_dimensions: Sequence[int],
    sharding: object,
) -> ir.Value:
    aligned: list[Dim] = [1] * len(shape)
    for axis, target in enumerate(broadcast_dimensions):
        aligned[int(target)] = ctx.avals_in[0].shape[axis]
    order = sorted(range(len(broadcast_dimensions)), key=lambda axis: broadcast_dimensions[axis])
    x = ctx.transpose(x, order)
    return ctx.broadcast(ctx.reshape(x, tuple(aligned)), ctx.out_dims)


@register_lowering(lax.reshape_p)
def _reshape(
    ctx: Context, x: ir.Value, *_: ir.Value, dimensions: Sequence[int] | None, **__: object
) -> ir.Value:
    return ctx.reshape(x if dimensions is None else ctx.transpose(x, dimensions), ctx.out_dims)


@register_lowering(lax.squeeze_p)
def _squeeze(ctx: Context, x: ir.Value, **_: object) -> ir.Value:
    return ctx.reshape(x, ctx.out_dims)


@register_lowering(lax.transpose_p)
def _transpose(ctx: Context, x: ir.Value, *, permutation: Sequence[int]) -> ir.Value:
    return ctx.transpose(x, permutation)


@register_lowering(lax.concatenate_p)
def _concatenate(ctx: Context, *operands: ir.Value, dimension: int) -> ir.Value:
    filled = [x for x in operands if not _is(ctx.dims(x)[dimension], 0)]
    operands = tuple(filled) or operands[:1]
    if len(operands) == 1:
        return operands[0]
    return ctx.op.Concat(*operands, axis=dimension, shape=ctx.out_dims)


@register_lowering(lax.stack_p)
def _stack(ctx: Context, *operands: ir.Value, axis: int) -> ir.Value:
    dims = ctx.out_dims
    slot = (*dims[:axis], 1, *dims[axis + 1 :])
    slots = [ctx.reshape(x, slot) for x in operands]
    return slots[0] if len(slots) == 1 else ctx.op.Concat(*slots, axis=axis, shape=dims)


@register_lowering(lax.unstack_p)
def _unstack(ctx: Context, x: ir.Value, *, axis: int, **_: object) -> Sequence[ir.Value]:
    dims = ctx.dims(x)
    slot = (*dims[:axis], 1, *dims[axis + 1 :])
    count = len(ctx.avals_out)
    parts = ctx.several("Split", x, [1] * count, types=[(element_type(x), slot)] * count, axis=axis)
    return [ctx.reshape(part, ctx.out_dims) for part in parts]


@register_lowering(lax.split_p)
def _split(ctx: Context, x: ir.Value, *, sizes: Dims, axis: int) -> ir.Value | Sequence[ir.Value]:
    if len(sizes) == 1:
        return x
    return ctx.several("Split", x, ctx.shape_tensor(tuple(sizes)), types=ctx.out_types, axis=axis)


@register_lowering(lax.slice_p)
def _slice(
    ctx: Context,
    x: ir.Value,
    *,
    start_indices: Dims,
    limit_indices: Dims,
    strides: Sequence[int] | None,
) -> ir.Value:
    dims = ctx.avals_in[0].shape
    steps = [1] * len(dims) if strides is None else list(strides)
    axes = [
        axis
        for axis, (start, limit, step) in enumerate(
            zip(start_indices, limit_indices, steps, strict=True)
        )
        if not (_is(start, 0) and limit == dims[axis] and _is(step, 1))
    ]
    if not axes:
        return x
    starts, ends = (tuple(bounds[a] for a in axes) for bounds in (start_indices, limit_indices))
    steps = [steps[a] for a in axes]
    operands = [ctx.shape_tensor(starts), ctx.shape_tensor(ends), axes]
    if any(not _is(step, 1) for step in steps):
        operands.append(ctx.shape_tensor(tuple(steps)))
    return ctx.op.Slice(x, *operands, shape=ctx.out_dims)


def _is(dim: Dim, number: int) -> bool:
    return is_static([dim]) and int(dim) == number


@register_lowering(lax.rev_p)
def rev(ctx: Context, x: ir.Value, dimensions: Sequence[int]) -> ir.Value:
    """Return ``x`` reversed along axes, by a Slice.

    A Transpose before it is moved behind it, and a reversal of a reversal is the value before both.

    Args:
        ctx: the graph.
        x: the value.
        dimensions: the axes.
    """
    node, count = x.producer(), len(dimensions)
    if not count:
        return x
    if node is not None and node.op_type == "Transpose":
        source, perm = node.inputs[0], node.attributes["perm"].as_ints()
        assert source is not None
        return ctx.transpose(rev(ctx, source, [perm[a] for a in dimensions]), perm)
    axes = sorted(dimensions)
    operands = ctx.operands([x, [-1] * count, [np.iinfo(np.int64).min] * count, axes, [-1] * count])
    if node is not None and node.op_type == "Slice" and [*node.inputs[1:]] == operands[1:]:
        source = node.inputs[0]
        assert source is not None
        return source
    return ctx.op.Slice(*operands, shape=ctx.dims(x))


@register_lowering(lax.pad_p)
def _pad(
    ctx: Context, x: ir.Value, value: ir.Value, *, padding_config: Sequence[tuple[Dim, Dim, int]]
) -> ir.Value:
    if is_empty(ctx.dims(x)):
        return ctx.broadcast(value, ctx.out_dims)
    return pad(ctx, x, value, padding_config)


def pad(
    ctx: Context, x: ir.Value, value: ir.Value, padding_config: Sequence[tuple[Dim, Dim, int]]
) -> ir.Value:
    """Return ``x`` padded as ``jax.lax.pad`` does.

    Interior padding is a Pad of a reshaped view, negative padding a Slice, and the rest a Pad.

    Args:
        ctx: the graph.
        x: the value.
        value: a scalar to pad with.
        padding_config: for each axis how many to add in front, behind, and between neighbours.
    """
    for axis, (_, _, interior) in enumerate(padding_config):
        if interior:
            x = _interleave(ctx, x, value, axis, interior)
    low = [c[0] for c in padding_config]
    high = [c[1] for c in padding_config]
    if not is_static([*low, *high]):  # Pad takes negative amounts too, which viewers show as errors
        return _extended(ctx, x, value, low, high)
    cut = [(max(-a, 0), max(-b, 0)) for a, b in zip(low, high, strict=True)]
    if any(pair != (0, 0) for pair in cut):
        dims = ctx.dims(x)
        kept = tuple(d - a - b for d, (a, b) in zip(dims, cut, strict=True))
        # If more is cut than there is, only padding remains.
        if any(is_static([d]) and d < 0 for d in kept):
            shape = tuple(d + a + b for d, a, b in zip(dims, low, high, strict=True))
            return ctx.broadcast(value, shape)
        ends = tuple(d - b for d, (_, b) in zip(dims, cut, strict=True))
        starts, axes = [a for a, _ in cut], list(range(len(cut)))
        x = ctx.op.Slice(x, starts, ctx.shape_tensor(ends), axes, shape=kept)
    low, high = [max(a, 0) for a in low], [max(b, 0) for b in high]
    return _extended(ctx, x, value, low, high) if any([*low, *high]) else x


def _extended(
    ctx: Context, x: ir.Value, value: ir.Value, low: Sequence[Dim], high: Sequence[Dim]
) -> ir.Value:
    """Return ``x`` with ``low`` values in front and ``high`` behind on each axis."""
    dims = tuple(d + a + b for d, a, b in zip(ctx.dims(x), low, high, strict=True))
    return ctx.op.Pad(x, ctx.shape_tensor((*low, *high)), value, shape=dims)


def _interleave(ctx: Context, x: ir.Value, value: ir.Value, axis: int, count: int) -> ir.Value:
    """Return ``x`` with ``count`` times ``value`` between neighbours along ``axis``."""
    dims = ctx.dims(x)
    size = dims[axis]
    if _is(size, 0):
        return x
    split = (*dims[: axis + 1], 1, *dims[axis + 1 :])
    pads = [0] * (2 * len(split))
    pads[len(split) + axis + 1] = count
    wide = (*dims[: axis + 1], count + 1, *dims[axis + 1 :])
    spread = ctx.op.Pad(ctx.reshape(x, split), pads, value, shape=wide)
    flat = (*dims[:axis], size * (count + 1), *dims[axis + 1 :])
    last = (*dims[:axis], size * (count + 1) - count, *dims[axis + 1 :])
    return ctx.op.Slice(ctx.reshape(spread, flat), [0], [-count], [axis], shape=last)


@register_lowering(lax.iota_p)
def _iota(
    ctx: Context, *_: ir.Value, dtype: DTypeLike, shape: Dims, dimension: int, sharding: object
) -> ir.Value:
    size = ctx.out_dims[dimension]
    if isinstance(size, int):
        numbers = ctx.builder.constant(np.arange(size), dtype)
    else:
        end = ctx.dim_scalar(size)
        numbers = ctx.op.Range(ctx.constant(0, INT64), end, ctx.constant(1, INT64), shape=(size,))
        numbers = ctx.cast(numbers, dtype)
    aligned: list[Dim] = [1] * len(shape)
    aligned[dimension] = size
    return ctx.broadcast(ctx.reshape(numbers, tuple(aligned)), ctx.out_dims)


@register_lowering(jax_internals.empty_p, jax_internals.empty2_p)
def _empty(ctx: Context, **_: object) -> ir.Value:
    """Return zeros, as JAX does on the CPU."""
    return ctx.broadcast(ctx.constant(0, ctx.out_dtype), ctx.out_dims)


@register_lowering(jax_internals.dim_as_value_p)
def _dim_as_value(ctx: Context, *, dim: Dim) -> ir.Value:
    return ctx.cast(ctx.dim_scalar(dim), ctx.out_dtype)


@register_lowering(lax.tile_p)
def _tile(ctx: Context, x: ir.Value, *, reps: Sequence[Any]) -> ir.Value:
    return ctx.op.Tile(x, ctx.shape_tensor(tuple(reps)), shape=ctx.out_dims)
