"""Positions along an axis: count them, clamp them, or undo JAX's wrapping of negative ones."""

import numpy as np
import onnx_ir as ir

from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import INT64
from jax2onnx.lower.rules.ranges import is_inside
from jax2onnx.trace.dimensions import Dim, is_static


def unwrapped(ctx: Context, index: ir.Value, size: Dim) -> ir.Value | None:
    """Return the index that the user gave, if JAX has wrapped it.

    JAX lets a negative index count from the end by ``where(i < 0, i + size, i)``.

    Args:
        ctx: the graph.
        index: an integer tensor, maybe wrapped.
        size: the size of the axis that it indexes.

    Returns:
        The i, of the shape and dtype of ``index``; None if ``index`` is no such expression.
    """
    choice = index.producer()
    if choice is None or choice.op_type != "Where":
        return None
    condition, sum_, value = choice.inputs
    below = None if condition is None else condition.producer()
    wrapped = None if sum_ is None else sum_.producer()
    if wrapped is None or value is None or ctx.dims(value) != ctx.dims(index):
        return None
    if wrapped.op_type != "Add" or wrapped.inputs[0] is not value:
        return None
    array = ctx.builder.array(value)
    if array is not None:
        negative = ctx.builder.array(condition)
        fits = negative is not None and bool((negative == (array < 0)).all())
    else:
        zero = None if below is None else ctx.builder.array(below.inputs[1])
        fits = (
            below is not None
            and below.op_type == "Less"
            and below.inputs[0] is value
            and zero is not None
            and not zero.any()
        )
    known = ctx.builder.array(wrapped.inputs[1])
    if known is not None:
        return value if fits and is_static([size]) and (known == size).all() else None
    scalar = ctx.cast(ctx.dim_scalar(size), element_type(value))
    return value if fits and wrapped.inputs[1] is scalar else None


def clamped(ctx: Context, index: ir.Value, low: Dim, high: Dim) -> ir.Value:
    """Return an index clamped between two bounds; as it is if it is known to be inside.

    Args:
        ctx: the graph.
        index: an integer tensor.
        low: the lower bound.
        high: the upper bound.
    """
    if is_inside(ctx, index, low, high):
        return index
    known = ctx.builder.array(index)
    if known is not None and isinstance(low, int) and isinstance(high, int):
        return ctx.constant(np.clip(known, low, high), index)
    least, most = (ctx.cast(ctx.dim_scalar(d), element_type(index)) for d in (low, high))
    return ctx.op.Clip(index, least, most, shape=ctx.dims(index))


def arange(ctx: Context, size: Dim) -> ir.Value:
    """Return 0, 1, ... size - 1 as an int64 vector."""
    if isinstance(size, int):
        return ctx.builder.constant(np.arange(size, dtype=np.int64))
    zero, one = ctx.constant(0, INT64), ctx.constant(1, INT64)
    return ctx.op.Range(zero, ctx.dim_scalar(size), one, dtype=INT64, shape=(size,))
