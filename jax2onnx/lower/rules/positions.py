"""Positions along an axis: count them, clamp them, or undo JAX's wrapping of negative ones."""

import numpy as np
import onnx_ir as ir

from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import INT64
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
    if below is None or wrapped is None or value is None or ctx.dims(value) != ctx.dims(index):
        return None
    if (below.op_type, wrapped.op_type) != ("Less", "Add"):
        return None
    zero = ctx.builder.array(below.inputs[1])
    fits = (
        below.inputs[0] is value
        and wrapped.inputs[0] is value
        and zero is not None
        and not zero.any()
    )
    known = ctx.builder.array(wrapped.inputs[1])
    if known is not None:
        return value if fits and is_static([size]) and (known == size).all() else None
    scalar = ctx.cast(ctx.dim_scalar(size), element_type(value))
    return value if fits and wrapped.inputs[1] is scalar else None


def clamped(ctx: Context, index: ir.Value, low: ir.Value, high: ir.Value) -> ir.Value:
    """Return an index clamped between two bounds; as it is if its type has no values outside.

    Args:
        ctx: the graph.
        index: an integer tensor.
        low: the lower bound, a scalar of the same dtype.
        high: the upper bound likewise.
    """
    least, most, known = (ctx.builder.array(v) for v in (low, high, index))
    node = index.producer()
    source = node.inputs[0] if node is not None and node.op_type == "Cast" else None
    if least is not None and most is not None:
        if known is not None:
            return ctx.constant(np.clip(known, least, most), index)
        if source is not None and element_type(source).is_integer():
            limits = np.iinfo(element_type(source).numpy())
            if least <= limits.min and limits.max <= most:
                return index
    return ctx.op.Clip(index, low, high, shape=ctx.dims(index))


def arange(ctx: Context, size: Dim) -> ir.Value:
    """Return 0, 1, ... size - 1 as an int64 vector."""
    if isinstance(size, int):
        return ctx.builder.constant(np.arange(size, dtype=np.int64))
    zero, one = ctx.constant(0, INT64), ctx.constant(1, INT64)
    return ctx.op.Range(zero, ctx.dim_scalar(size), one, dtype=INT64, shape=(size,))
