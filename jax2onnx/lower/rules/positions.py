"""Positions along an axis: counted, moved inside, or as they were before JAX made them positive."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import INT64
from jax2onnx.trace.dimensions import is_static


def unwrapped(ctx: Context, index: ir.Value, size: Any) -> ir.Value | None:
    """The i of an ``index`` that is i + size where i < 0, as JAX counts from the end; else None."""
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
    """An index between two scalars; as it is where its type holds no others."""
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


def arange(ctx: Context, size: Any) -> ir.Value:
    """0, 1, ... size - 1 as int64."""
    if isinstance(size, int):
        return ctx.builder.constant(np.arange(size, dtype=np.int64))
    zero, one = ctx.constant(0, INT64), ctx.constant(1, INT64)
    return ctx.op.Range(zero, ctx.dim_scalar(size), one, dtype=INT64, shape=(size,))
