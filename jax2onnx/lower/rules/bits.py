"""Bits: shifts, counts, and the bits of floating point numbers.

Operator sets before 26 have no BitCast. There the bits of a float are computed from its value, and
a value from its bits, by exact arithmetic: comparisons, multiplication by powers of two, and casts
of integers that a float can hold.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
from jax import Array, lax
from jax.typing import DTypeLike

from jax2onnx.errors import UnsupportedUseError
from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.lower.registry import Results, Rule, in_jax, register_lowering
from jax2onnx.lower.rules.elementwise import is_negative

# -- shifts --------------------------------------------------------------------------------------


def _unsigned(dtype: DTypeLike) -> np.dtype[Any]:
    """Return the unsigned integer of the same width."""
    return np.dtype(f"uint{8 * np.dtype(dtype).itemsize}")


def _shift(direction: str) -> Rule:
    """Return a rule for a logical shift; by the width of the type or more it gives zero."""

    def rule(ctx: Context, x: ir.Value, y: ir.Value) -> ir.Value:
        dtype = ctx.avals_out[0].dtype
        bits = ctx.cast(x, _unsigned(dtype))
        count = ctx.cast(y, _unsigned(dtype))
        width = element_type(x).bitwidth
        shifted = ctx.op.BitShift(bits, count, direction=direction)
        known = ctx.builder.array(count)
        if known is None or (known >= width).any():
            inside = ctx.op.Less(count, width)
            shifted = ctx.op.Where(inside, shifted, ctx.constant(0, shifted))
        return ctx.cast(shifted, dtype)

    return rule


register_lowering(lax.shift_left_p)(_shift("LEFT"))
register_lowering(lax.shift_right_logical_p)(_shift("RIGHT"))


@register_lowering(lax.shift_right_arithmetic_p)
@in_jax
def _shift_right_arithmetic(x: Array, y: Array) -> Array:
    """Shift a negative number as its complement, so that the sign fills the free bits."""
    if x.dtype.kind == "u":
        x = lax.convert_element_type(x, f"int{8 * x.dtype.itemsize}")
        return lax.convert_element_type(_shift_right_arithmetic.function(x, y), y.dtype)
    negative = x < 0
    positive = jnp.where(negative, ~x, x)
    shifted = lax.shift_right_logical(positive, y.astype(x.dtype))
    return jnp.where(negative, ~shifted, shifted)


@register_lowering(lax.mulhi_p)
def _mulhi(ctx: Context, x: ir.Value, y: ir.Value) -> Results:
    """Return the upper half of the product, computed in twice the width or from half products."""
    dtype = ctx.avals_out[0].dtype
    width = 8 * dtype.itemsize
    if width == 64:
        return ctx.lower_function(_upper_half, (x, y))
    wide = np.dtype(f"{dtype.kind}{dtype.itemsize * 2}")
    product = ctx.cast(ctx.op.Mul(ctx.cast(x, wide), ctx.cast(y, wide)), _unsigned(wide))
    return ctx.cast(ctx.op.BitShift(product, width, direction="RIGHT"), dtype)


def _upper_half(x: Array, y: Array) -> Array:
    """Return the upper 64 bits of a product, from products of halves.

    A signed factor that is negative counts as 2^64 more than it is.
    """
    half = np.uint64(32)
    (a, b), (c, d) = ((v >> half, v & np.uint64(2**32 - 1)) for v in map(jnp.uint64, (x, y)))
    middle = a * d + (b * d >> half)
    other = b * c + (middle & np.uint64(2**32 - 1))
    upper = (a * c + (middle >> half) + (other >> half)).astype(x.dtype)
    if x.dtype.kind == "u":
        return upper
    return upper - jnp.where(x < 0, y, 0) - jnp.where(y < 0, x, 0)


# -- counting ------------------------------------------------------------------------------------


@register_lowering(lax.population_count_p)
@in_jax
def _population_count(x: Array) -> Array:
    """Add neighbouring fields of 1, 2, 4... bits (Warren, "Hacker's Delight", section 5-1)."""
    width = 8 * x.dtype.itemsize
    bits = x.astype(_unsigned(x.dtype))
    field = 1
    while field < width:
        mask = np.asarray(sum((2**field - 1) << s for s in range(0, width, 2 * field)), bits.dtype)
        bits = (bits & mask) + ((bits >> np.asarray(field, bits.dtype)) & mask)
        field *= 2
    return bits.astype(x.dtype)


@register_lowering(lax.clz_p)
@in_jax
def _clz(x: Array) -> Array:
    """Copy the highest bit to all lower ones, and count the zeros."""
    bits = x.astype(_unsigned(x.dtype))
    width, step = 8 * x.dtype.itemsize, 1
    while step < width:
        bits = bits | (bits >> np.asarray(step, bits.dtype))
        step *= 2
    return lax.population_count(~bits).astype(x.dtype)


# -- floating point ------------------------------------------------------------------------------

_FLOATS = frozenset({np.dtype(jnp.bfloat16), *map(np.dtype, ("f2", "f4", "f8"))})
_WITH_BITS = _FLOATS | frozenset(
    np.dtype(f"{kind}{size}") for kind in "iu" for size in (1, 2, 4, 8)
)


def _powers(exponents: np.ndarray[Any, Any], dtype: DTypeLike) -> np.ndarray[Any, Any]:
    """Return powers of two."""
    powers: np.ndarray[Any, Any] = np.ldexp(np.ones(len(exponents)), exponents).astype(dtype)
    return powers


def float_to_bits(x: Array) -> Array:
    """Return the bits of a float32 or float64, as an unsigned integer of its width."""
    info = np.finfo(x.dtype)
    unsigned, mantissa = _unsigned(x.dtype), info.nmant
    bias = 2 ** (info.bits - mantissa - 2) - 1
    size = jnp.abs(x)
    scaled, exponent = size, jnp.zeros(x.shape, jnp.int32)
    step = (bias + 1) // 2
    while step:  # scale the number into [1, 2) by exact powers of two
        up, down = x.dtype.type(2.0**step), x.dtype.type(2.0**-step)
        large, small = scaled >= up, scaled < x.dtype.type(2.0 ** (1 - step))
        scaled = jnp.where(large, scaled * down, jnp.where(small, scaled * up, scaled))
        exponent = exponent + jnp.where(large, step, jnp.where(small, -step, 0))
        step //= 2
    normal = (exponent + bias).astype(unsigned) << np.asarray(mantissa, unsigned)
    normal = normal + ((scaled - 1) * x.dtype.type(2.0**mantissa)).astype(unsigned)
    # The bits of a subnormal number count how many times it holds the least positive one.
    half = x.dtype.type(2.0 ** ((bias + mantissa - 1) // 2))
    rest = x.dtype.type(2.0 ** ((bias + mantissa - 1) - (bias + mantissa - 1) // 2))
    tiny = jnp.minimum(size, info.tiny) * half * rest
    bits = jnp.where(size < info.tiny, tiny.astype(unsigned), normal)
    infinite = np.asarray((2 ** (info.bits - mantissa - 1) - 1) << mantissa, unsigned)
    quiet = np.asarray(int(infinite) | 1 << (mantissa - 1), unsigned)
    bits = jnp.where(jnp.isinf(x), infinite, jnp.where(jnp.isnan(x), quiet, bits))
    sign = jnp.where(is_negative(x), np.asarray(1 << (info.bits - 1), unsigned), 0).astype(unsigned)
    signed: Array = bits | sign
    return signed


def bits_to_float(bits: Array, dtype: np.dtype[Any]) -> Array:
    """Return the float32 or float64 with these bits, which are unsigned of its width."""
    info = np.finfo(dtype)
    mantissa = info.nmant
    bias = 2 ** (info.bits - mantissa - 2) - 1
    top = 2 * bias + 1
    shift = np.asarray(mantissa, bits.dtype)
    exponent = ((bits >> shift) & np.asarray(top, bits.dtype)).astype(jnp.int32)
    fraction = (bits & np.asarray(2**mantissa - 1, bits.dtype)).astype(dtype)
    fraction = fraction * info.dtype.type(2.0**-mantissa)
    powers = jnp.asarray(_powers(np.clip(np.arange(top + 1), 1, top - 1) - bias, dtype))
    power = powers.at[exponent].get(mode="promise_in_bounds", wrap_negative_indices=False)
    size = jnp.where(exponent == 0, fraction, 1 + fraction) * power
    special = jnp.where(fraction == 0, np.inf, np.nan).astype(dtype)
    size = jnp.where(exponent == top, special, size)
    return jnp.where((bits >> np.asarray(info.bits - 1, bits.dtype)) != 0, -size, size)


def _to_bits(x: Array) -> Array:
    """Return the bits of any number, as an unsigned integer of its width."""
    return lax.bitcast_convert_type(x, _unsigned(x.dtype))


def _float_bits(x: Array) -> Array:
    """Return the bits of a float, computed by arithmetic, as an unsigned integer of its width."""
    if x.dtype == jnp.bfloat16:
        return (float_to_bits(x.astype(jnp.float32)) >> np.uint32(16)).astype(np.uint16)
    return _half_to_bits(x) if x.dtype == np.float16 else float_to_bits(x)


def _half_to_bits(x: Array) -> Array:
    """Return the bits of a float16, from those of the same number as float32."""
    wide = float_to_bits(x.astype(jnp.float32))
    sign = (wide >> np.uint32(16)) & np.uint32(0x8000)
    rest = wide & np.uint32(0x7FFFFFFF)
    normal = (rest - np.uint32((127 - 15) << 23)) >> np.uint32(13)
    tiny = (jnp.abs(x.astype(jnp.float32)) * np.float32(2.0**24)).astype(np.uint32)
    special = np.uint32(0x7C00) | ((rest >> np.uint32(13)) & np.uint32(0x3FF))
    below, above = rest < np.uint32(113 << 23), rest >= np.uint32(0x7F800000)
    size = jnp.where(above, special, jnp.where(below, tiny, normal))
    return (sign | size).astype(np.uint16)


def _float_of(bits: Array, dtype: np.dtype[Any]) -> Array:
    """Return the float with the bits of an unsigned integer, computed by arithmetic."""
    if dtype == jnp.bfloat16:
        wide = bits.astype(np.uint32) << np.uint32(16)
        return bits_to_float(wide, np.dtype(np.float32)).astype(dtype)
    if dtype == np.float16:
        return _bits_to_half(bits.astype(np.uint32))
    return bits_to_float(bits, dtype)


def _bits_to_half(bits: Array) -> Array:
    rest = bits & np.uint32(0x7FFF)
    wide = (rest << np.uint32(13)) + np.uint32((127 - 15) << 23)
    wide = jnp.where(rest >= np.uint32(0x7C00), wide + np.uint32((128 - 16) << 23), wide)
    normal = bits_to_float(wide, np.dtype(np.float32))
    tiny = rest.astype(jnp.float32) * np.float32(2.0**-24)
    size = jnp.where(rest < np.uint32(0x400), tiny, normal)
    return jnp.where((bits & np.uint32(0x8000)) != 0, -size, size).astype(np.float16)


@register_lowering(lax.bitcast_convert_type_p)
def _bitcast(ctx: Context, x: ir.Value, *, new_dtype: DTypeLike) -> ir.Value:
    """Keep the bits and change the type: by BitCast where the operator set has it (from 26 on)."""
    (old,), new = ctx.avals_in, np.dtype(new_dtype)
    if old.dtype == new:
        return x
    if not {old.dtype, new} <= _WITH_BITS:
        raise UnsupportedUseError(
            f"{ctx.where}: from {old.dtype} to {new}. Go by way of types of 8, 16, 32 or 64 bits, "
            "floats of at least 16."
        )
    array = ctx.builder.array(x)
    if array is not None and old.dtype.itemsize == new.itemsize:
        return ctx.builder.constant(array.view(new))
    if ctx.opset >= 26 and old.dtype.itemsize == new.itemsize:
        return ctx.op.BitCast(x, to=ctx.out_dtype, dtype=ctx.out_dtype)
    return ctx.lower_function(_reinterpret, [x], new=new)[0]


def _reinterpret(x: Array, new: np.dtype[Any]) -> Array:
    """Return the same bits as another type.

    For a wider type, the last axis of ``x`` holds the parts of each result; a narrower one adds an
    axis for them.
    """
    old_width, new_width = 8 * x.dtype.itemsize, 8 * new.itemsize
    source, target = _unsigned(x.dtype), _unsigned(new)
    if x.dtype in _FLOATS and source == new:
        return _float_bits(x)
    if new in _FLOATS and x.dtype == target:
        return _float_of(x, new)
    if old_width == new_width and not (x.dtype in _FLOATS or new in _FLOATS):
        return x.astype(new)
    bits = _to_bits(x)
    if new_width < old_width:
        shifts = np.arange(0, old_width, new_width).astype(source)
        bits = (bits[..., None] >> shifts).astype(target)
    elif new_width > old_width:
        shifts = np.arange(0, new_width, old_width).astype(target)
        bits = jnp.sum(bits.astype(target) << shifts, axis=-1, dtype=target)
    return lax.bitcast_convert_type(bits, new)


@register_lowering(lax.nextafter_p)
@in_jax
def _nextafter(x: Array, y: Array) -> Array:
    """Return the neighbouring float: its bits as an integer are one more or one less."""
    bits = _to_bits(x)
    one = np.asarray(1, bits.dtype)
    outwards = (y > x) == (x > 0)
    stepped = lax.bitcast_convert_type(jnp.where(outwards, bits + one, bits - one), x.dtype)
    least = lax.bitcast_convert_type(jnp.full_like(bits, 1), x.dtype)
    stepped = jnp.where(x == 0, jnp.where(y > 0, least, -least), stepped)
    stepped = jnp.where(x == y, y, stepped)
    return jnp.where(jnp.isnan(x) | jnp.isnan(y), np.nan, stepped).astype(x.dtype)


@register_lowering(lax.reduce_precision_p)
@in_jax
def _reduce_precision(x: Array, *, exponent_bits: int, mantissa_bits: int) -> Array:
    """Round to nearest even with fewer bits; numbers out of range become infinite or zero."""
    if x.dtype.itemsize < 4:
        wide = x.astype(jnp.float32)
        return _at_precision(wide, exponent_bits, mantissa_bits).astype(x.dtype)
    return _at_precision(x, exponent_bits, mantissa_bits)


def _at_precision(x: Array, exponent_bits: int, mantissa_bits: int) -> Array:
    """Round a float32 or float64 to nearest even with fewer bits."""
    info = np.finfo(x.dtype)
    bits = _to_bits(x)
    dropped = info.nmant - mantissa_bits
    if dropped > 0:
        one = np.asarray(1, bits.dtype)
        last = (bits >> np.asarray(dropped, bits.dtype)) & one
        rounded = bits + (np.asarray((1 << (dropped - 1)) - 1, bits.dtype) + last)
        keep = np.asarray((1 << info.bits) - (1 << dropped), bits.dtype)
        bits = rounded & keep
    result = lax.bitcast_convert_type(bits, x.dtype)
    bias = 2 ** (exponent_bits - 1) - 1
    if bias < info.maxexp - 1:
        size, sign = jnp.abs(result), jnp.where(x < 0, -1, 1).astype(x.dtype)
        largest = (2 - 2.0**-mantissa_bits) * 2.0**bias
        result = jnp.where(size > largest, sign * np.inf, result)
        result = jnp.where(size < 2.0 ** (1 - bias), sign * 0, result)
    return jnp.where(jnp.isfinite(x), result, x).astype(x.dtype)
