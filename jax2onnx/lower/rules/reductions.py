"""Reductions, arg-reductions and cumulative operators."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
from jax import lax

from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import BOOL, INT32, INT64
from jax2onnx.lower.registry import Decomposition, Results, Rule, in_jax, register_lowering
from jax2onnx.lower.rules.sorting import unsigned_in_order
from jax2onnx.lower.rules.windows import bound
from jax2onnx.trace.dimensions import is_static


def reduction(op_type: str, of_nothing: int = 0) -> Rule:
    """A rule for a reduction over ``axes`` that one operator does.

    Args:
        op_type: the operator.
        of_nothing: 1 or -1 where the reduction of nothing is a type's greatest or least value,
            which runtimes that compute in another type do not know.
    """

    def rule(ctx: Context, x: ir.Value, *, axes: Sequence[int], **_: Any) -> ir.Value:
        if not axes:
            return x
        if of_nothing and _count(ctx, x, axes) == 0:
            limit = bound(element_type(x).numpy(), of_nothing)
            return ctx.broadcast(ctx.constant(limit, x), ctx.out_dims)
        wide = ctx.cast(x, INT32) if x.dtype == BOOL else x
        reduced = getattr(ctx.op, op_type)(
            wide, [int(a) for a in axes], keepdims=0, dtype=wide.dtype, shape=ctx.out_dims
        )
        # of nothing, the greatest integer is the least one there is
        return ctx.op.Greater(reduced, 0) if x.dtype == BOOL else reduced

    return rule


def folded(combine: Callable[[Any, Any], Any], neutral: int) -> Decomposition:
    """A reduction by an operator on two elements; ``neutral`` is the result of none."""

    def function(x: Any, *, axes: Sequence[int], **_: Any) -> Any:
        def generic(a: Any, b: Any) -> Any:  # of `combine`, JAX would make the primitive again
            return combine(a, b)

        return lax.reduce(x, np.asarray(neutral).astype(x.dtype), generic, axes)

    return in_jax(function)


def _count(ctx: Context, x: ir.Value, axes: Sequence[int]) -> int:
    """How many elements go into each result, as far as sizes are known."""
    dims = ctx.dims(x)
    known = [dims[a] for a in axes]
    return math.prod(d for d in known if isinstance(d, int))


def _total(x: Any, *, axes: Sequence[int], **_: Any) -> Any:
    """A sum as a product with ones."""
    ones = jnp.ones([x.shape[a] for a in axes], x.dtype)
    return lax.dot_general(x, ones, ((axes, range(len(axes))), ((), ())))


_DOUBLE = 53
"""Bits of the integers that doubles hold, in which ONNX Runtime adds and multiplies integers."""


@register_lowering(lax.reduce_sum_p)
def _sum(ctx: Context, x: ir.Value, *, axes: Sequence[int], **params: Any) -> Results:
    kind = element_type(x)
    if kind.is_integer():
        node = x.producer()
        source = node.inputs[0] if node is not None and node.op_type == "Cast" else x
        count = _count(ctx, x, axes)
        if count and element_type(source).bitwidth + math.log2(count) > _DOUBLE:
            return ctx.lower_function(functools.partial(_total, axes=axes), (x,))
    return reduction("ReduceSum")(ctx, x, axes=axes)


@register_lowering(lax.reduce_prod_p)
def _product(ctx: Context, x: ir.Value, **params: Any) -> Results:
    rule = folded(lax.mul, 1) if element_type(x).is_integer() else reduction("ReduceProd")
    return rule(ctx, x, **params)


register_lowering(lax.reduce_max_p)(unsigned_in_order(reduction("ReduceMax", -1)))
register_lowering(lax.reduce_min_p)(unsigned_in_order(reduction("ReduceMin", 1)))


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


register_lowering(lax.reduce_and_p)(logical(reduction("ReduceMin"), folded(lax.bitwise_and, -1)))
register_lowering(lax.reduce_or_p)(logical(reduction("ReduceMax"), folded(lax.bitwise_or, 0)))
register_lowering(lax.reduce_xor_p)(logical(_parity, folded(lax.bitwise_xor, 0)))


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


register_lowering(lax.argmax_p)(unsigned_in_order(arg_reduction("ArgMax")))
register_lowering(lax.argmin_p)(unsigned_in_order(arg_reduction("ArgMin")))


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
