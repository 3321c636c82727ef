"""Reductions, arg-reductions and cumulative operators."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
from jax import Array, lax
from jax.typing import DTypeLike

from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import BOOL, INT32, INT64
from jax2onnx.lower.registry import Decomposition, Results, Rule, in_jax, register_lowering
from jax2onnx.lower.rules.sorting import unsigned_in_order
from jax2onnx.lower.rules.windows import bound
from jax2onnx.trace.dimensions import is_static

Carry = tuple[Array, Array]


def reduction(op_type: str, of_nothing: int = 0) -> Rule:
    """Return a rule for a reduction over ``axes`` by one operator.

    ``of_nothing`` is 1 or -1 if the reduction of no elements is the greatest or the least value of
    the type. A runtime that computes in another type would give that one's.
    """

    def rule(ctx: Context, x: ir.Value, *, axes: Sequence[int], **_: object) -> ir.Value:
        if not axes:
            return x
        if of_nothing and _count(ctx, x, axes) == 0:
            limit = bound(element_type(x).numpy(), of_nothing)
            return ctx.broadcast(ctx.constant(limit, x), ctx.out_dims)
        wide = ctx.cast(x, INT32) if x.dtype == BOOL else x
        reduced = ctx.op(
            op_type, wide, [int(a) for a in axes], keepdims=0, dtype=wide.dtype, shape=ctx.out_dims
        )
        # The greatest of no booleans is the least int32, which is not above 0.
        return ctx.op.Greater(reduced, 0) if x.dtype == BOOL else reduced

    return rule


def folded(combine: Callable[[Array, Array], Array], neutral: int) -> Decomposition:
    """Return a rule for a reduction by an operator on two arrays, ``neutral`` for no elements."""

    def function(x: Array, *, axes: Sequence[int], **_: object) -> Array:
        def generic(a: Array, b: Array) -> Array:
            return combine(a, b)

        reduced: Array = lax.reduce(x, np.asarray(neutral).astype(x.dtype), generic, axes)
        return reduced

    return in_jax(function)


def _count(ctx: Context, x: ir.Value, axes: Sequence[int]) -> int:
    """Return how many elements go into each result, as far as sizes are known."""
    dims = ctx.dims(x)
    known = [dims[a] for a in axes]
    return math.prod(d for d in known if isinstance(d, int))


def _total(x: Array, *, axes: Sequence[int], **_: object) -> Array:
    """Return a sum as a product with ones."""
    ones = jnp.ones([x.shape[a] for a in axes], x.dtype)
    return lax.dot_general(x, ones, ((axes, range(len(axes))), ((), ())))


_DOUBLE = 53
"""Width of the integers that doubles hold exactly; ONNX Runtime reduces integers in doubles."""


@register_lowering(lax.reduce_sum_p)
def _sum(ctx: Context, x: ir.Value, *, axes: Sequence[int], **_: object) -> Results:
    kind = element_type(x)
    if kind.is_integer():
        node = x.producer()
        source = node.inputs[0] if node is not None and node.op_type == "Cast" else x
        count = _count(ctx, x, axes)
        if count and element_type(source).bitwidth + math.log2(count) > _DOUBLE:
            return ctx.lower_function(_total, (x,), axes=axes)
    return reduction("ReduceSum")(ctx, x, axes=axes)


@register_lowering(lax.reduce_prod_p)
def _product(ctx: Context, x: ir.Value, **params: Any) -> Results:
    rule = folded(lax.mul, 1) if element_type(x).is_integer() else reduction("ReduceProd")
    return rule(ctx, x, **params)


register_lowering(lax.reduce_max_p)(unsigned_in_order(reduction("ReduceMax", -1)))
register_lowering(lax.reduce_min_p)(unsigned_in_order(reduction("ReduceMin", 1)))


def logical(on_booleans: Rule, on_integers: Rule) -> Rule:
    """Return a rule for a primitive that reduces booleans, or the bits of integers."""

    def rule(ctx: Context, x: ir.Value, **params: Any) -> Results:
        return (on_booleans if x.dtype == BOOL else on_integers)(ctx, x, **params)

    return rule


def _parity(ctx: Context, x: ir.Value, *, axes: Sequence[int], **_: object) -> ir.Value:
    count = ctx.op.ReduceSum(
        ctx.cast(x, INT32), [int(a) for a in axes], keepdims=0, shape=ctx.out_dims
    )
    return ctx.op.Equal(ctx.op.Mod(count, 2), 1)


register_lowering(lax.reduce_and_p)(logical(reduction("ReduceMin"), folded(lax.bitwise_and, -1)))
register_lowering(lax.reduce_or_p)(logical(reduction("ReduceMax"), folded(lax.bitwise_or, 0)))
register_lowering(lax.reduce_xor_p)(logical(_parity, folded(lax.bitwise_xor, 0)))


def arg_reduction(op_type: str) -> Rule:
    """Return a rule for argmax or argmin: the first NaN, or else the first of the extremes."""

    def rule(
        ctx: Context, x: ir.Value, *, axes: Sequence[int], index_dtype: DTypeLike, **_: object
    ) -> ir.Value:
        (axis,) = axes

        def extreme(kind: str, values: ir.Value) -> ir.Value:
            kept = {"axis": int(axis), "keepdims": 0}
            return ctx.op(kind, values, **kept, dtype=INT64, shape=ctx.out_dims)

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
    """Return a rule for an operator that accumulates along an axis."""

    def rule(ctx: Context, x: ir.Value, *, axis: int, reverse: bool) -> ir.Value:
        position = ctx.builder.constant(np.asarray(axis, np.int64))
        return ctx.op(op_type, x, position, reverse=int(reverse), shape=ctx.out_dims)

    return rule


def _cumulative(
    combine: Callable[[Array, Array], Array], *, operator: Rule | None = None, since: int = 0
) -> Rule:
    """Return a rule for a cumulative reduction, by an operator in the operator sets that have one.

    An axis of known length takes log2(n) combinations, one of symbolic length a scan.
    """

    def in_order(x: Array, *, axis: int, reverse: bool) -> Array:
        if is_static([x.shape[axis]]):
            scanned: Array = lax.associative_scan(combine, x, reverse=reverse, axis=axis)
            return scanned
        rows = jnp.moveaxis(x, axis, 0)
        first = rows[-1] if reverse else rows[0]

        def step(carry: Carry, row: Array) -> tuple[Carry, Array]:
            total = jnp.where(carry[0], row, combine(carry[1], row))
            return (jnp.asarray(False), total), total

        start = (jnp.asarray(True), first)
        return jnp.moveaxis(lax.scan(step, start, rows, reverse=reverse)[1], 0, axis)

    return in_jax(in_order, operator=operator, since=since)


register_lowering(lax.cumsum_p)(running("CumSum"))
register_lowering(lax.cumprod_p)(_cumulative(lax.mul, operator=running("CumProd"), since=26))
register_lowering(lax.cummax_p)(_cumulative(lax.max))
register_lowering(lax.cummin_p)(_cumulative(lax.min))
register_lowering(lax.cumlogsumexp_p)(_cumulative(jnp.logaddexp))
