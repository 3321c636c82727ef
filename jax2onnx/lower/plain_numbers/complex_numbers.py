"""Arithmetic on pairs of real arrays (see ``jax2onnx.lower.plain_numbers.retrace``).

Formulas are those of Abramowitz and Stegun, "Handbook of Mathematical Functions", chapters 3 and 4,
arranged so that they neither overflow nor cancel where the result does not.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.extend import core
from jax.typing import DTypeLike

from jax2onnx.lower.plain_numbers.retrace import (
    RULES,
    Keys,
    Operand,
    Pair,
    is_complex,
    part_dtype,
    rule,
)
from jax2onnx.trace.dimensions import Dims, abstract

_LOG_2 = 0.6931471805599453

# -- parts and types -----------------------------------------------------------------------------

rule(lax.complex_p)(lambda re, im: Pair(*jnp.broadcast_arrays(re, im)))
rule(lax.real_p)(lambda z: z.re)
rule(lax.imag_p)(lambda z: z.im)


@rule(lax.conj_p)
def _conj(z: Operand, **_: object) -> Pair:
    return Pair(z.re, -z.im) if isinstance(z, Pair) else as_pair(z)


@rule(lax.convert_element_type_p)
def _convert(z: Operand, *, new_dtype: DTypeLike, **_: object) -> Operand:
    assert not isinstance(z, Keys), "keys have no other dtype"
    if not isinstance(z, Pair):
        re = lax.convert_element_type(z, part_dtype(new_dtype))
        return Pair(re, jnp.zeros_like(re))
    if np.dtype(new_dtype) == np.bool_:
        return (z.re != 0) | (z.im != 0)
    if not is_complex(new_dtype):
        return lax.convert_element_type(z.re, new_dtype)
    return Pair(*(lax.convert_element_type(x, part_dtype(new_dtype)) for x in z))


@rule(lax.bitcast_convert_type_p)
def _bitcast(z: Pair, **_: object) -> Pair:
    return z  # JAX has no other type for its bits


@rule(lax.iota_p)
def _iota(*, dtype: DTypeLike, shape: Dims, dimension: int, **_: object) -> Pair:
    re = lax.broadcasted_iota(part_dtype(dtype), shape, dimension)
    return Pair(re, jnp.zeros_like(re))


# -- arithmetic ----------------------------------------------------------------------------------


@rule(lax.mul_p)
def times(x: Pair, y: Pair, **_: object) -> Pair:
    """Return the product of two pairs."""
    return Pair(x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re)


@rule(lax.div_p)
def _div(x: Pair, y: Pair) -> Pair:
    """Follow Smith, "Algorithm 116: Complex division" (1962): scale by the larger part of y."""
    wide = jnp.abs(y.re) >= jnp.abs(y.im)
    large, small = jnp.where(wide, y.re, y.im), jnp.where(wide, y.im, y.re)
    ratio = jnp.where(large == 0, small, small / large)
    scale = large + small * ratio
    a, b = jnp.where(wide, x.re, x.im), jnp.where(wide, x.im, x.re)
    im = (b - a * ratio) / scale
    return Pair((a + b * ratio) / scale, jnp.where(wide, im, -im))


@rule(lax.square_p)
def _square(z: Pair) -> Pair:
    return Pair((z.re - z.im) * (z.re + z.im), 2 * z.re * z.im)


@rule(lax.abs_p)
def _abs(z: Pair) -> Array:
    x, y = jnp.abs(z.re), jnp.abs(z.im)
    large, small = jnp.maximum(x, y), jnp.minimum(x, y)
    ratio = jnp.where(large == 0, 0, small / large)
    hypot = large * jnp.sqrt(1 + ratio * ratio)
    return jnp.where(jnp.isinf(x) | jnp.isinf(y), np.inf, hypot).astype(x.dtype)


@rule(lax.sign_p)
def _sign(z: Pair) -> Pair:
    size = _abs(z)
    safe = jnp.where(size == 0, 1, size)
    return Pair(z.re / safe, z.im / safe)


@rule(lax.integer_pow_p)
def _integer_pow(z: Pair, *, y: int) -> Pair:
    result, base, exponent = None, z, abs(y)
    while exponent:
        if exponent & 1:
            result = base if result is None else times(result, base)
        exponent >>= 1
        base = times(base, base) if exponent else base
    one = as_pair(jnp.ones_like(z.re))
    result = one if result is None else result
    return _div(one, result) if y < 0 else result


@rule(lax.eq_p)
def _eq(x: Pair, y: Pair) -> Array:
    return (x.re == y.re) & (x.im == y.im)


@rule(lax.ne_p)
def _ne(x: Pair, y: Pair) -> Array:
    return ~_eq(x, y)


@rule(lax.is_finite_p)
def _is_finite(z: Pair) -> Array:
    return jnp.isfinite(z.re) & jnp.isfinite(z.im)


def _less(x: Pair, y: Pair) -> Array:
    """Return whether x is before y in lexicographic order, as numpy sorts complex numbers."""
    return (x.re < y.re) | ((x.re == y.re) & (x.im < y.im))


def _where(condition: Array, x: Pair, y: Pair) -> Pair:
    return Pair(jnp.where(condition, x.re, y.re), jnp.where(condition, x.im, y.im))


rule(lax.max_p)(lambda x, y: _where(_less(y, x), x, y))
rule(lax.min_p)(lambda x, y: _where(_less(x, y), x, y))


@rule(lax.clamp_p)
def _clamp(low: Pair, z: Pair, high: Pair) -> Pair:
    above = _where(_less(z, low), low, z)
    return _where(_less(high, above), high, above)


# -- elementary functions ------------------------------------------------------------------------


def as_pair(x: Operand) -> Pair:
    """Return an array as a pair; the imaginary part of a real one is zero."""
    assert not isinstance(x, Keys), "keys have no parts"
    return x if isinstance(x, Pair) else Pair(x, jnp.zeros_like(x))


def _times_i(z: Pair) -> Pair:
    return Pair(-z.im, z.re)


def _over_i(z: Pair) -> Pair:
    return Pair(z.im, -z.re)


@rule(lax.exp_p)
def _exp(z: Pair, **_: object) -> Pair:
    size = jnp.exp(z.re)
    im = jnp.where(z.im == 0, z.im, size * jnp.sin(z.im))
    return Pair(jnp.where(z.im == 0, size, size * jnp.cos(z.im)), im)


@rule(lax.exp2_p)
def _exp2(z: Pair, **_: object) -> Pair:
    return _exp(Pair(z.re * _LOG_2, z.im * _LOG_2))


@rule(lax.log_p)
def _log(z: Pair, **_: object) -> Pair:
    return Pair(_log_abs(z.re, z.im), jnp.arctan2(z.im, z.re))


def _log_abs(x: Array, y: Array) -> Array:
    """Return log(hypot(x, y)), without cancellation near the unit circle."""
    a, b = jnp.abs(x), jnp.abs(y)
    large, small = jnp.maximum(a, b), jnp.minimum(a, b)
    near = (large > 0.5) & (large < 2)
    close = 0.5 * jnp.log1p((large - 1) * (large + 1) + small * small)
    ratio = jnp.where(large == 0, 0, small / large)
    far = jnp.log(large) + 0.5 * jnp.log1p(ratio * ratio)
    return jnp.where(jnp.isinf(large), np.inf, jnp.where(near, close, far)).astype(x.dtype)


@rule(lax.log1p_p)
def _log1p(z: Pair, **_: object) -> Pair:
    small = 0.5 * jnp.log1p(z.re * (2 + z.re) + z.im * z.im)
    near = (jnp.abs(z.re) < 0.5) & (jnp.abs(z.im) < 1)
    size = jnp.where(near, small, _log_abs(1 + z.re, z.im))
    return Pair(size, jnp.arctan2(z.im, 1 + z.re))


@rule(lax.expm1_p)
def _expm1(z: Pair, **_: object) -> Pair:
    half = jnp.sin(z.im / 2)
    re = jnp.expm1(z.re) * jnp.cos(z.im) - 2 * half * half
    return Pair(re, jnp.exp(z.re) * jnp.sin(z.im))


@rule(lax.sqrt_p)
def _sqrt(z: Pair, **_: object) -> Pair:
    """Follow Kahan, "Branch cuts for complex elementary functions" (1987)."""
    root = jnp.sqrt((_abs(z) + jnp.abs(z.re)) / 2)
    other = jnp.where(root == 0, 0, jnp.abs(z.im) / (2 * jnp.where(root == 0, 1, root)))
    right = z.re >= 0
    im = jnp.where(right, other, root)
    negative = z.im < 0  # as in JAX, not where it is negative zero
    return Pair(jnp.where(right, root, other), jnp.where(negative, -im, im))


@rule(lax.rsqrt_p)
def _rsqrt(z: Pair, **_: object) -> Pair:
    return _div(as_pair(jnp.ones_like(z.re)), _sqrt(z))


@rule(lax.pow_p)
def _pow(x: Operand, y: Operand) -> Pair:
    assert not isinstance(y, Keys), "keys have no powers"
    base = as_pair(x)
    exponent = y if isinstance(y, Pair) else as_pair(y.astype(base.re.dtype))
    zero = (base.re == 0) & (base.im == 0)
    safe = Pair(jnp.where(zero, 1, base.re), base.im)
    result = _exp(times(_log(safe), exponent))
    one = ((exponent.re == 0) & (exponent.im == 0)).astype(base.re.dtype)
    return Pair(jnp.where(zero, one, result.re), jnp.where(zero, 0, result.im))


@rule(lax.logistic_p)
def _logistic(z: Pair, **_: object) -> Pair:
    decay = _exp(Pair(-z.re, -z.im))
    return _div(as_pair(jnp.ones_like(z.re)), Pair(1 + decay.re, decay.im))


@rule(lax.cosh_p)
def _cosh(z: Pair, **_: object) -> Pair:
    return Pair(jnp.cosh(z.re) * jnp.cos(z.im), jnp.sinh(z.re) * jnp.sin(z.im))


@rule(lax.sinh_p)
def _sinh(z: Pair, **_: object) -> Pair:
    return Pair(jnp.sinh(z.re) * jnp.cos(z.im), jnp.cosh(z.re) * jnp.sin(z.im))


@rule(lax.tanh_p)
def _tanh(z: Pair, **_: object) -> Pair:
    """Follow Kahan (1987): with t = tan(im), all steps are finite wherever the result is."""
    t, s = jnp.tan(z.im), jnp.sinh(jnp.clip(z.re, -40, 40))
    beta, rho = 1 + t * t, jnp.sqrt(1 + s * s)
    scale = 1 + beta * s * s
    near = Pair(beta * rho * s / scale, t / scale)
    far = jnp.abs(z.re) > 20
    return Pair(jnp.where(far, jnp.sign(z.re), near.re), jnp.where(far, 0, near.im))


rule(lax.cos_p)(lambda z, **_: _cosh(_times_i(z)))
rule(lax.sin_p)(lambda z, **_: _over_i(_sinh(_times_i(z))))
rule(lax.tan_p)(lambda z, **_: _over_i(_tanh(_times_i(z))))


@rule(lax.asinh_p)
def _asinh(z: Pair, **_: object) -> Pair:
    """Follow Kahan (1987), by way of the square roots of 1 + iz and 1 - iz."""
    one = jnp.ones_like(z.re)
    plus, minus = _sqrt(Pair(one - z.im, z.re)), _sqrt(Pair(one + z.im, -z.re))
    size = jnp.arcsinh(jnp.abs(plus.re * minus.im - plus.im * minus.re))
    return Pair(jnp.sign(z.re) * size, jnp.arctan2(z.im, times(plus, minus).re))


@rule(lax.acosh_p)
def _acosh(z: Pair, **_: object) -> Pair:
    """Follow Kahan (1987)."""
    one = jnp.ones_like(z.re)
    minus, plus = _sqrt(Pair(z.re - one, z.im)), _sqrt(Pair(z.re + one, z.im))
    size = jnp.arcsinh(minus.re * plus.re + minus.im * plus.im)
    return Pair(size, 2 * jnp.arctan2(minus.im, plus.re))


@rule(lax.atanh_p)
def _atanh(z: Pair, **_: object) -> Pair:
    """Return (log1p(z) - log1p(-z)) / 2."""
    a, b = _log1p(z), _log1p(Pair(-z.re, -z.im))
    return Pair((a.re - b.re) / 2, (a.im - b.im) / 2)


rule(lax.asin_p)(lambda z, **_: _over_i(_asinh(_times_i(z))))
rule(lax.atan_p)(lambda z, **_: _over_i(_atanh(_times_i(z))))


@rule(lax.acos_p)
def _acos(z: Pair, **_: object) -> Pair:
    """Follow Kahan (1987)."""
    one = jnp.ones_like(z.re)
    minus, plus = _sqrt(Pair(one - z.re, -z.im)), _sqrt(Pair(one + z.re, z.im))
    return Pair(
        2 * jnp.arctan2(minus.re, plus.re), jnp.arcsinh(plus.re * minus.im - plus.im * minus.re)
    )


# -- contractions and reductions -----------------------------------------------------------------


def _complex_type(z: Pair) -> jax.ShapeDtypeStruct:
    """Return the shape and dtype of the complex array that a pair stands for."""
    return abstract(z.re.shape, np.result_type(z.re.dtype, np.complex64))


def _bilinear(primitive: core.Primitive) -> Callable[..., Pair]:
    def apply(x: Operand, y: Operand, **params: Any) -> Pair:
        types = [_complex_type(z) if isinstance(z, Pair) else z for z in (x, y)]
        result = jax.eval_shape(lambda a, b: primitive.bind(a, b, **params), *types)
        params["preferred_element_type"] = dtype = part_dtype(result.dtype)
        x, y = (as_pair(z) for z in (x, y))
        x, y = (Pair(*(part.astype(dtype) for part in z)) for z in (x, y))

        def product(a: Array, b: Array) -> Array:
            result: Array = primitive.bind(a, b, **params)
            return result

        return Pair(
            product(x.re, y.re) - product(x.im, y.im), product(x.re, y.im) + product(x.im, y.re)
        )

    return apply


rule(lax.dot_general_p)(_bilinear(lax.dot_general_p))
rule(lax.conv_general_dilated_p)(_bilinear(lax.conv_general_dilated_p))


def _reduction(
    combine: Callable[[Pair, Pair], Pair], neutral: tuple[float, float]
) -> Callable[..., Pair]:
    """Return a rule for a reduction, which halves an axis until its size is 1.

    The parts of ``neutral`` pad an axis of an odd size.
    """

    def apply(z: Pair, *, axes: Sequence[int], **_: object) -> Pair:
        for axis in sorted(axes, reverse=True):
            while (size := z.re.shape[axis]) != 1:
                pad = [(0, 0, 0)] * z.re.ndim
                pad[axis] = (0, 1 if size == 0 else size % 2, 0)
                z = Pair(
                    *(lax.pad(x, x.dtype.type(n), pad) for x, n in zip(z, neutral, strict=True))
                )
                if size:
                    halves = [jnp.split(x, 2, axis) for x in z]
                    z = combine(*(Pair(*h) for h in zip(*halves, strict=True)))
            z = Pair(*(jnp.squeeze(x, axis) for x in z))
        return z

    return apply


rule(lax.reduce_prod_p)(_reduction(times, (1, 0)))
rule(lax.reduce_max_p)(_reduction(RULES[lax.max_p], (-np.inf, -np.inf)))
rule(lax.reduce_min_p)(_reduction(RULES[lax.min_p], (np.inf, np.inf)))


@rule(lax.sort_p)
def _sort(*operands: Operand, dimension: int, is_stable: bool, num_keys: int) -> list[Operand]:
    """Sort by two keys for each complex one: the real part, then the imaginary one."""
    flat: list[Any] = []
    counts = []
    keys = 0
    for i, x in enumerate(operands):
        parts = list(x) if isinstance(x, Pair) else [x]
        keys += len(parts) if i < num_keys else 0
        counts.append(len(parts))
        flat += parts
    results = iter(lax.sort(flat, dimension=dimension, is_stable=is_stable, num_keys=keys))
    return [Pair(next(results), next(results)) if n == 2 else next(results) for n in counts]
