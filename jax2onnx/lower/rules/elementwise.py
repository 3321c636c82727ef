"""Elementwise primitives: arithmetic, comparison, rounding, casts, selection."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
from jax import Array, lax
from jax.extend import core
from jax.extend.core import primitives

from jax2onnx import jax_internals
from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import BOOL
from jax2onnx.lower.registry import Results, Rule, in_jax, register_lowering


def _is_bool(ctx: Context) -> bool:
    return bool(ctx.avals_in[-1].dtype == np.bool_)


def _is_float(ctx: Context) -> bool:
    return bool(jnp.issubdtype(ctx.avals_in[0].dtype, jnp.floating))


def elementwise(op_type: str, **attributes: Any) -> Rule:
    """Return a rule for a primitive that is one elementwise operator with these attributes."""

    def rule(ctx: Context, *operands: ir.Value, **_: object) -> ir.Value:
        return ctx.op(op_type, *ctx.unbroadcast(operands, ctx.out_dims), **attributes)

    return rule


def by_type(boolean: str, other: str) -> Rule:
    """Return a rule for a primitive with one operator on booleans and another on numbers."""
    on_boolean, on_number = elementwise(boolean), elementwise(other)

    def rule(ctx: Context, *operands: ir.Value, **params: Any) -> Results:
        return (on_boolean if _is_bool(ctx) else on_number)(ctx, *operands, **params)

    return rule


_ONE_OPERATOR: dict[core.Primitive, Rule] = {
    lax.abs_p: elementwise("Abs"),
    primitives.add_jaxvals_p: by_type("Or", "Add"),
    lax.add_p: by_type("Or", "Add"),
    lax.and_p: by_type("And", "BitwiseAnd"),
    lax.ceil_p: elementwise("Ceil"),
    lax.cos_p: elementwise("Cos"),
    lax.eq_p: elementwise("Equal"),
    lax.exp_p: elementwise("Exp"),
    lax.floor_p: elementwise("Floor"),
    lax.ge_p: elementwise("GreaterOrEqual"),
    lax.gt_p: elementwise("Greater"),
    lax.le_p: elementwise("LessOrEqual"),
    lax.log_p: elementwise("Log"),
    lax.lt_p: elementwise("Less"),
    lax.max_p: by_type("Or", "Max"),
    lax.min_p: by_type("And", "Min"),
    lax.mul_p: by_type("And", "Mul"),
    lax.neg_p: elementwise("Neg"),
    lax.not_p: by_type("Not", "BitwiseNot"),
    lax.or_p: by_type("Or", "BitwiseOr"),
    lax.pow_p: elementwise("Pow"),
    lax.sin_p: elementwise("Sin"),
    lax.sqrt_p: elementwise("Sqrt"),
    lax.sub_p: elementwise("Sub"),
    lax.tanh_p: elementwise("Tanh"),
    lax.xor_p: by_type("Xor", "BitwiseXor"),
}
for _primitive, _rule in _ONE_OPERATOR.items():
    register_lowering(_primitive)(_rule)


@register_lowering(
    lax.stop_gradient_p,
    lax.copy_p,
    lax.optimization_barrier_p,
    lax.device_put_p,
    primitives.name_p,
    jax_internals.xla_metadata_value_p,
)
def _identity(ctx: Context, *operands: ir.Value, **_: object) -> tuple[ir.Value, ...]:
    return operands


def _division(op_type: str, **attributes: Any) -> Rule:
    """Return a rule for a quotient or remainder that has a result for all integers.

    A division by 0 stops ONNX Runtime. In JAX its quotient has all bits set, and its remainder is
    the dividend. The least integer divided by -1, which stops processors, is itself.
    """

    def rule(ctx: Context, x: ir.Value, y: ir.Value) -> ir.Value:
        x, y = ctx.unbroadcast((x, y), ctx.out_dims)
        known = ctx.builder.array(y)
        if _is_float(ctx) or (known is not None and not np.isin(known, (0, -1)).any()):
            return ctx.op(op_type, x, y, **attributes)
        dtype = ctx.avals_out[0].dtype
        ones = ctx.builder.constant(~np.zeros((), dtype))
        by_zero, by_ones = ctx.op.Equal(y, 0), ctx.op.Equal(y, ones)
        special = ctx.op.Or(by_zero, by_ones) if dtype.kind == "i" else by_zero
        divisor = ctx.op.Where(special, ctx.constant(1, y), y)
        result = ctx.op(op_type, x, divisor, **attributes)
        if op_type == "Mod":
            return ctx.op.Where(by_zero, x, result)
        result = ctx.op.Where(by_zero, ones, result)
        return ctx.op.Where(by_ones, ctx.op.Neg(x), result) if dtype.kind == "i" else result

    return rule


register_lowering(lax.div_p)(_division("Div"))
register_lowering(lax.rem_p)(_division("Mod", fmod=1))


@register_lowering(jax_internals.tie_p)
def _tie(ctx: Context, _: ir.Value, y: ir.Value) -> ir.Value:
    return y


@register_lowering(lax.ne_p)
def _ne(ctx: Context, x: ir.Value, y: ir.Value) -> ir.Value:
    x, y = ctx.unbroadcast((x, y), ctx.out_dims)
    return ctx.op.Not(ctx.op.Equal(x, y))


@register_lowering(lax.sign_p)
def _sign(ctx: Context, x: ir.Value) -> ir.Value:
    # ONNX Runtime's kernels of 16 bits give 0 for a NaN.
    wide = ctx.cast(x, np.float32) if _is_float(ctx) and element_type(x).bitwidth < 32 else x
    return ctx.cast(ctx.op.Sign(wide), ctx.out_dtype)


@register_lowering(lax.rsqrt_p)
def _rsqrt(ctx: Context, x: ir.Value, **_: object) -> ir.Value:
    return ctx.op.Reciprocal(ctx.op.Sqrt(x))


@register_lowering(lax.square_p)
def _square(ctx: Context, x: ir.Value) -> ir.Value:
    return ctx.op.Mul(x, x)


@register_lowering(lax.integer_pow_p)
def _integer_pow(ctx: Context, x: ir.Value, *, y: int) -> ir.Value:
    if y == 2:
        return ctx.op.Mul(x, x)
    if _is_float(ctx):
        return ctx.op.Reciprocal(x) if y == -1 else ctx.op.Pow(x, y)
    # A runtime's Pow of integers goes through floats; products wrap as JAX's do.
    result, base = ctx.constant(1, x), x
    while y:
        result = ctx.op.Mul(result, base) if y & 1 else result
        y >>= 1
        base = ctx.op.Mul(base, base) if y else base
    return ctx.broadcast(result, ctx.out_dims)


@register_lowering(lax.convert_element_type_p)
def _convert(ctx: Context, x: ir.Value, *, new_dtype: np.dtype[Any], **_: object) -> ir.Value:
    new = np.dtype(new_dtype)
    if _is_float(ctx) and jnp.issubdtype(new, np.integer) and not _holds(ctx, x, new):
        return _saturated(ctx, x, new)
    return ctx.cast(x, new)


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    info: Any = jnp.iinfo  # of integers of 4 bits too
    return int(info(dtype).min), int(info(dtype).max)


def _holds(ctx: Context, x: ir.Value, new: np.dtype[Any]) -> bool:
    """Return whether a float is known to be in the range of an integer type.

    It is if it was converted from an integer, or if it is a constant.
    """
    array = ctx.builder.array(x)
    if array is not None:
        wide, (low, high) = array.astype(np.float64), _limits(new)
        return bool(((wide >= low) & (wide <= high)).all())
    node = x.producer()
    if node is None or node.op_type != "Cast" or node.inputs[0] is None:
        return False
    source = element_type(node.inputs[0])
    if not (source.is_integer() or source == BOOL):
        return False
    old = source.numpy()
    return bool(old == np.bool_ or np.can_cast(old, new))


def _saturated(ctx: Context, x: ir.Value, new: np.dtype[Any]) -> ir.Value:
    """Convert as XLA does: NaN becomes zero, and a number out of range the nearest value."""
    low, high = _limits(new)
    if high < 127:  # a cast to 4 bits rounds, one to 8 bits does not
        x = ctx.op.Clip(x, float(low), float(high), shape=ctx.dims(x))
        return ctx.cast(_saturated(ctx, x, np.dtype(np.int8)), new)
    x = ctx.op.Where(ctx.op.IsNaN(x), ctx.constant(0, x), x)
    if new.itemsize <= 2 and element_type(x).bitwidth >= 32:
        return ctx.cast(ctx.op.Clip(x, float(low), float(high), shape=ctx.dims(x)), new)
    wide = ctx.cast(x, np.float32) if element_type(x).bitwidth < 32 else x
    beyond = ctx.op.GreaterOrEqual(wide, float(high) + (1 if high < 2**53 else 0))
    inside = ctx.cast(ctx.op.Max(wide, float(low)), new)
    return ctx.op.Where(beyond, ctx.constant(high, inside), inside)


@register_lowering(lax.select_n_p)
def _select_n(ctx: Context, which: ir.Value, *cases: ir.Value) -> ir.Value:
    """Select case 0 where the predicate is false or 0, and case i where it is i."""
    if len(cases) == 1:
        return cases[0]
    if which.dtype == BOOL:
        known = ctx.builder.array(which)
        if known is not None and not known.any():  # where(i < 0, i + size, i) of a constant index
            return cases[0]
        which, on_false, on_true = ctx.unbroadcast((which, *cases), ctx.out_dims)
        return ctx.op.Where(which, on_true, on_false)
    result = cases[-1]
    for i in range(len(cases) - 2, -1, -1):
        below = ctx.op.LessOrEqual(which, i)
        result = ctx.op.Where(below, cases[i], result)
    return result


@register_lowering(lax.clamp_p)
def _clamp(ctx: Context, low: ir.Value, x: ir.Value, high: ir.Value) -> ir.Value:
    scalars = not ctx.avals_in[0].shape and not ctx.avals_in[2].shape
    if scalars and ctx.builder.array(low) is not None and ctx.builder.array(high) is not None:
        return ctx.op.Clip(x, low, high, shape=ctx.dims(x))
    return ctx.op.Min(ctx.op.Max(low, x), high, shape=ctx.out_dims)


@register_lowering(lax.round_p)
def _round(ctx: Context, x: ir.Value, *, rounding_method: lax.RoundingMethod) -> ir.Value:
    if rounding_method is lax.RoundingMethod.TO_NEAREST_EVEN:
        return ctx.op.Round(x)
    magnitude = ctx.op.Abs(x)
    floor = ctx.op.Floor(magnitude)
    up = ctx.op.GreaterOrEqual(ctx.op.Sub(magnitude, floor), 0.5)
    rounded = ctx.op.Where(up, ctx.op.Add(floor, 1.0), floor)
    return ctx.op.Mul(ctx.op.Sign(x), rounded)


@register_lowering(lax.is_finite_p)
def _is_finite(ctx: Context, x: ir.Value) -> ir.Value:
    # Inf - Inf and NaN - NaN are NaN, which equals nothing.
    return ctx.op.Equal(ctx.op.Sub(x, x), 0.0)


@register_lowering(lax.exp2_p)
def _exp2(ctx: Context, x: ir.Value, **_: object) -> ir.Value:
    return ctx.op.Pow(ctx.constant(2.0, x), x)


@register_lowering(jax_internals.log2_p)
@in_jax
def _log2(x: Array, **_: object) -> Array:
    return lax.log(x) * (1 / math.log(2))


@register_lowering(jax_internals.one_minus_square_p)
@in_jax
def _one_minus_square(x: Array) -> Array:
    """Return 1 - x²; the product keeps the digits that the difference loses near 1."""
    return (1 + x) * (1 - x)


register_lowering(jax_internals.polynomial_p)(in_jax(jax_internals.polynomial))


def is_negative(x: Array) -> Array:
    """Return whether a float, or a zero, has a minus sign; False for NaN."""
    result: Array = (x < 0) | ((x == 0) & (1 / x < 0))
    return result


def _in_total_order(compare: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """Return a comparison in which -0 comes before 0, and NaN after everything."""

    def function(x: Array, y: Array) -> Array:
        if not jnp.issubdtype(x.dtype, jnp.floating):
            return compare(x, y)

        def rank(v: Array) -> Array:
            return jnp.where(jnp.isnan(v), 2, jnp.where(is_negative(v), 0, 1))

        by_rank = compare(rank(x), rank(y))
        special = jnp.isnan(x) | jnp.isnan(y) | ((x == 0) & (y == 0))
        return jnp.where(special, by_rank, compare(x, y))

    return function


register_lowering(lax.eq_to_p)(in_jax(_in_total_order(lax.eq)))
register_lowering(lax.le_to_p)(in_jax(_in_total_order(lax.le)))
register_lowering(lax.lt_to_p)(in_jax(_in_total_order(lax.lt)))
