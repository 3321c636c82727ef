"""Reductions, arg-reductions and cumulative operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
from jax import lax

from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import BOOL, INT32, INT64
from jax2onnx.lower.registry import Decomposition, Results, Rule, in_jax, register_lowering
from jax2onnx.lower.rules.windows import reduce_axis
from jax2onnx.trace.dimensions import is_static


def reduction(op_type: str) -> Rule:
    """A rule for a reduction over ``axes`` that one operator does."""

    def rule(ctx: Context, x: ir.Value, *, axes: Sequence[int], **_: Any) -> ir.Value:
        if not axes:
            return x
        wide = ctx.cast(x, INT32) if x.dtype == BOOL else x
        reduced = getattr(ctx.op, op_type)(
            wide, [int(a) for a in axes], keepdims=0, dtype=wide.dtype, shape=ctx.out_dims
        )
        if x.dtype == BOOL:  # of nothing, the greatest integer is the least one there is
            return ctx.op.Greater(reduced, 0)
        return ctx.cast(reduced, ctx.out_dtype)

    return rule


register_lowering(lax.reduce_sum_p)(reduction("ReduceSum"))
register_lowering(lax.reduce_prod_p)(reduction("ReduceProd"))
register_lowering(lax.reduce_max_p)(reduction("ReduceMax"))
register_lowering(lax.reduce_min_p)(reduction("ReduceMin"))


def bitwise(combine: Callable[[Any, Any], Any], neutral: int) -> Decomposition:
    """A reduction of bits, by halving; ``neutral`` is the result of no integers at all."""

    def function(x: Any, *, axes: Sequence[int], **_: Any) -> Any:
        for axis in sorted(axes, reverse=True):
            if x.shape[axis] == 0:
                x = jnp.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), neutral).astype(x.dtype)
            (x,) = reduce_axis((x,), lambda a, b: [combine(a[0], b[0])], axis)
            x = lax.squeeze(x, [axis])
        return x

    return in_jax(function)


def logical(on_booleans: Rule, on_integers: Rule) -> Rule:
    """A rule for a primitive that reduces booleans, and the bits of integers."""

    def rule(ctx: Context, x: ir.Value, **params: Any) -> Results:
        return (on_booleans if x.dtype == BOOL else on_integers)(ctx, x, **params)

    return rule


def _parity(ctx: Context, x: ir.Value, *, axes: Sequence[int], **_: Any) -> ir.Value:
    count = ctx.op.ReduceSum(
        ctx.cast(x, INT32), [int(a) for a in axes], keepdims=0, shape=ctx.out_dims
    )
    return ctx.op.Equal(ctx.op.Mod(count, 2), 1)


register_lowering(lax.reduce_and_p)(logical(reduction("ReduceMin"), bitwise(lax.bitwise_and, -1)))
register_lowering(lax.reduce_or_p)(logical(reduction("ReduceMax"), bitwise(lax.bitwise_or, 0)))
register_lowering(lax.reduce_xor_p)(logical(_parity, bitwise(lax.bitwise_xor, 0)))


def arg_reduction(op_type: str) -> Rule:
    """A rule for argmax or argmin along one axis: the first NaN, else the first of the extremes."""

    def rule(
        ctx: Context, x: ir.Value, *, axes: Sequence[int], index_dtype: Any, **_: Any
    ) -> ir.Value:
        (axis,) = axes

        def extreme(kind: str, values: ir.Value) -> ir.Value:
            operator: Callable[..., ir.Value] = getattr(ctx.op, kind)
            return operator(values, axis=int(axis), keepdims=0, dtype=INT64, shape=ctx.out_dims)

        found = extreme(op_type, x)
        if jnp.issubdtype(ctx.avals_in[0].dtype, jnp.floating):
            nan = ctx.cast(ctx.op.IsNaN(x), INT32)
            any_nan = ctx.op.ReduceMax(nan, [int(axis)], keepdims=0, shape=ctx.out_dims)
            found = ctx.op.Where(ctx.op.Greater(any_nan, 0), extreme("ArgMax", nan), found)
        return ctx.cast(found, index_dtype)

    return rule


register_lowering(lax.argmax_p)(arg_reduction("ArgMax"))
register_lowering(lax.argmin_p)(arg_reduction("ArgMin"))


def running(op_type: str) -> Rule:
    """A rule for an operator that accumulates along an axis."""

    def rule(ctx: Context, x: ir.Value, *, axis: int, reverse: bool) -> ir.Value:
        operator: Callable[..., ir.Value] = getattr(ctx.op, op_type)
        position = ctx.builder.constant(np.asarray(axis, np.int64))
        return operator(x, position, reverse=int(reverse), shape=ctx.out_dims)

    return rule


def cumulative(combine: Callable[[Any, Any], Any], **operator: Any) -> Rule:
    """A cumulative reduction: log2(n) combinations of a known length, a scan of a symbolic one."""

    def in_order(x: Any, *, axis: int, reverse: bool) -> Any:
        if is_static([x.shape[axis]]):
            return lax.associative_scan(combine, x, reverse=reverse, axis=axis)
        rows = jnp.moveaxis(x, axis, 0)
        first = rows[-1] if reverse else rows[0]

        def step(carry: Any, row: Any) -> tuple[Any, Any]:
            total = jnp.where(carry[0], row, combine(carry[1], row))
            return (jnp.asarray(False), total), total

        start = (jnp.asarray(True), first)
        return jnp.moveaxis(lax.scan(step, start, rows, reverse=reverse)[1], 0, axis)

    return in_jax(in_order, **operator)


register_lowering(lax.cumsum_p)(running("CumSum"))
register_lowering(lax.cumprod_p)(cumulative(lax.mul, operator=running("CumProd"), since=26))
register_lowering(lax.cummax_p)(cumulative(lax.max))
register_lowering(lax.cummin_p)(cumulative(lax.min))
register_lowering(lax.cumlogsumexp_p)(cumulative(jnp.logaddexp))
