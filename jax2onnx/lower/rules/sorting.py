"""Sorting by TopK, which is a stable argsort, since it breaks ties by the lower index."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
from jax import lax

from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import INT32, INT64
from jax2onnx.lower.registry import Results, Rule, register_lowering
from jax2onnx.trace.dimensions import Dims

UINT64 = ir.DataType.UINT64


def _is_float(value: ir.Value) -> bool:
    return bool(jnp.issubdtype(element_type(value).numpy(), jnp.floating))


def unsigned_in_order(rule: Rule) -> Rule:
    """Return a rule that compares, made to work on uint64, for which there are no kernels.

    Uint64 becomes int64 in the same order, by flipping the highest bit.
    """
    sign = 1 << 63

    def wrapped(ctx: Context, *operands: ir.Value, **params: Any) -> Results:
        if all(x.dtype != UINT64 for x in operands):
            return rule(ctx, *operands, **params)
        given = [
            ctx.cast(ctx.op.BitwiseXor(x, sign), INT64) if x.dtype == UINT64 else x
            for x in operands
        ]
        results = rule(ctx, *given, **params)
        several = [results] if isinstance(results, ir.Value) else results
        return [
            ctx.op.BitwiseXor(ctx.cast(x, UINT64), sign)
            if aval.dtype == np.uint64 and x.dtype == INT64
            else x
            for x, aval in zip(several, ctx.avals_out, strict=True)
        ]

    return wrapped


def _top(
    ctx: Context, x: ir.Value, dims: Dims, axis: int, **attributes: int
) -> tuple[ir.Value, ...]:
    """Add a TopK along an axis; return the values and their indices, both of shape ``dims``."""
    types = [(element_type(x), dims), (INT64, dims)]
    count = ctx.shape_tensor((dims[axis],))
    return ctx.several("TopK", x, count, types=types, axis=axis, **attributes)


@register_lowering(lax.top_k_p)
@unsigned_in_order
def _top_k(
    ctx: Context, x: ir.Value, *, k: int, axis: int, is_stable: bool = True
) -> Sequence[ir.Value]:
    """Add a TopK, which is stable whether or not JAX asks for it."""
    del k, is_stable
    values, indices = _top(ctx, x, ctx.out_dims, axis)
    return values, ctx.cast(indices, ctx.avals_out[1].dtype)


@register_lowering(lax.approx_top_k_p)
@unsigned_in_order
def _approx_top_k(
    ctx: Context, x: ir.Value, *, reduction_dimension: int, is_max_k: bool, **_: object
) -> Sequence[ir.Value]:
    """Return the exact result: as many values as JAX asks for, the best first."""
    largest = int(is_max_k)
    values, indices = _top(ctx, x, ctx.out_dims, reduction_dimension, largest=largest)
    return values, ctx.cast(indices, ctx.avals_out[1].dtype)


@register_lowering(lax.sort_p)
@unsigned_in_order
def _sort(
    ctx: Context, *operands: ir.Value, dimension: int, num_keys: int, is_stable: bool
) -> Sequence[ir.Value]:
    """Sort by the least significant key first; NaN counts as greater than any number."""
    del is_stable
    current = list(operands)
    for key in range(num_keys - 1, -1, -1):
        by = current[key]
        if _is_float(by):
            number = ctx.op.Where(ctx.op.IsNaN(by), ctx.constant(0, by), by)
            current = _by(ctx, current, number, dimension)
            by = ctx.cast(ctx.op.IsNaN(current[key]), INT32)
        current = _by(ctx, current, by, dimension)
    return current


def _by(ctx: Context, operands: Sequence[ir.Value], key: ir.Value, axis: int) -> list[ir.Value]:
    """Return all operands in ascending order of ``key``."""
    dims = ctx.dims(key)
    _, order = _top(ctx, key, dims, axis, largest=0, sorted=1)
    return [ctx.op.GatherElements(v, order, axis=axis, shape=dims) for v in operands]
