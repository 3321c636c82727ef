"""Special functions, written in JAX; where JAX has a decomposition of its own, that one.

Coefficients are those of the Cephes library (Moshier, 1989; erf and erfc), of Lanczos's
approximation with g = 7 (gamma), and of Giles, "Approximating the erfinv function" (2012).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax._src.lax import special

from jax2onnx.lower.registry import in_jax, register_lowering
from jax2onnx.lower.rules.transcendental import doubled, polynomial


def widened(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` computed in float32 where the operands are narrower."""

    def wide(*operands: Any, **params: Any) -> Any:
        dtype = operands[0].dtype
        if dtype.itemsize >= 4:
            return function(*operands, **params)
        return function(*(x.astype(jnp.float32) for x in operands), **params).astype(dtype)

    return wide


# -- the error function --------------------------------------------------------------------------

# fmt: off
_ERF = (
    (9.60497373987051638749e0, 9.00260197203842689217e1, 2.23200534594684319226e3,
     7.00332514112805075473e3, 5.55923013010394962768e4),
    (1.0, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3,
     2.26290000613890934246e4, 4.92673942608635921086e4),
)
_ERFC_BELOW_8 = (
    (2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687e0,
     4.86371970985681366614e1, 1.96520832956077098242e2, 5.26445194995477358631e2,
     9.34528527171957607540e2, 1.02755188689515710272e3, 5.57535335369399327526e2),
    (1.0, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2,
     9.75708501743205489753e2, 1.82390916687909736289e3, 2.24633760818710981792e3,
     1.65666309194161350182e3, 5.57535340817727675546e2),
)
_ERFC_ABOVE_8 = (
    (5.64189583547755073984e-1, 1.27536670759978104416e0, 5.01905042251180477414e0,
     6.16021097993053585195e0, 7.40974269950448939160e0, 2.97886665372100240670e0),
    (1.0, 2.26052863220117276590e0, 9.39603524938001434673e0, 1.20489539808096656605e1,
     1.70814450747565897222e1, 9.60896809063285878198e0, 3.36907645100081516050e0),
)
_ERFINV_NEAR = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
                -0.00125372503, -0.00417768164, 0.246640727, 1.50140941)
_ERFINV_FAR = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
               -0.0076224613, 0.00943887047, 1.00167406, 2.83297682)
_LANCZOS = (0.99999999999980993227684700473478, 676.520368121885098567009190444019,
            -1259.13921672240287047156078755283, 771.3234287776530788486528258894,
            -176.61502916214059906584551354, 12.507343278686904814458936853,
            -0.13857109526572011689554707, 9.984369578019570859563e-6, 1.50563273514931155834e-7)
# fmt: on

# Written out, since a logarithm may differ between machines in its last bit.
_LOG_T0 = 2.0149030205422647  # log 7.5
_LOG_PI = 1.1447298858494002
_LOG_2PI = 1.8378770664093453
_SQRT_PI = 1.7724538509055159


def _ratio(x: Any, pair: tuple[Sequence[float], Sequence[float]]) -> Any:
    return polynomial(x, pair[0]) / polynomial(x, pair[1])


def _erf_near_zero(x: Any) -> Any:
    return x * _ratio(x * x, _ERF)


def _erfc_tail(size: Any) -> Any:
    """Erfc of numbers from 1 up; below 27 (9 in f32) it is no zero."""
    near = _ratio(jnp.minimum(size, 8), _ERFC_BELOW_8)
    far = _ratio(jnp.maximum(size, 8), _ERFC_ABOVE_8)
    tail = jnp.exp(-size * size) * jnp.where(size < 8, near, far)
    return jnp.where(size < 27, tail, 0)


def erf(x: Any) -> Any:
    """The error function in the precision of x."""
    size = jnp.abs(x)
    beyond = jnp.sign(x) * (1 - _erfc_tail(jnp.clip(size, 1, 30)))
    return jnp.where(size < 1, _erf_near_zero(jnp.clip(x, -1, 1)), beyond)


def erfc(x: Any) -> Any:
    """1 - erf(x), without cancellation where that is small."""
    size = jnp.abs(x)
    tail = _erfc_tail(jnp.clip(size, 1, 30))
    beyond = jnp.where(x < 0, 2 - tail, tail)
    result = jnp.where(size < 1, 1 - _erf_near_zero(jnp.clip(x, -1, 1)), beyond)
    return jnp.where(jnp.isnan(x), x, result)


def erf_inv(y: Any) -> Any:
    """Giles's polynomials, and in double precision two steps of Newton's method."""
    w = -jnp.log1p(-y * y)
    near = polynomial(w - 2.5, _ERFINV_NEAR)
    x = y * jnp.where(w < 5, near, polynomial(jnp.sqrt(jnp.maximum(w, 5)) - 3, _ERFINV_FAR))
    if y.dtype == np.float64:
        for _ in range(2):
            rest = jnp.where(jnp.abs(y) < 0.5, erf(x) - y, jnp.sign(x) * (1 - jnp.abs(y)))
            wide = jnp.abs(y) >= 0.5
            rest = jnp.where(wide, rest - jnp.sign(x) * erfc(jnp.abs(x)), rest)
            x = x - rest * _SQRT_PI / 2 * jnp.exp(x * x)
    return jnp.where(jnp.abs(y) == 1, y * np.inf, x).astype(y.dtype)


register_lowering(lax.erf_p)(doubled("Erf", erf))
register_lowering(lax.erfc_p)(in_jax(lambda x, **_: widened(erfc)(x)))
register_lowering(lax.erf_inv_p)(in_jax(lambda x, **_: widened(erf_inv)(x)))


# -- gamma and its kin ---------------------------------------------------------------------------


def _lanczos(z: Any) -> tuple[Any, Any]:
    """Lanczos's sum A(z), and its derivative over it."""
    total, slope = jnp.full_like(z, _LANCZOS[0]), jnp.zeros_like(z)
    for k, coefficient in enumerate(_LANCZOS[1:], 1):
        share = z.dtype.type(coefficient) / (z + k)
        total, slope = total + share, slope - share / (z + k)
    return total, slope / total


def lgamma(x: Any) -> Any:
    """Log |gamma(x)|; below 1/2 by reflection."""
    left = x < 0.5
    z = jnp.where(left, -x, x - 1)
    log_t = jnp.log1p(z / 7.5) + _LOG_T0
    total, _ = _lanczos(z)
    half_log_2pi = _LOG_2PI / 2
    right = half_log_2pi + (z + 0.5 - (z + 7.5) / log_t) * log_t + jnp.log(total)
    fraction = jnp.abs(x) - jnp.floor(jnp.abs(x))
    fraction = jnp.minimum(fraction, 1 - fraction)
    sine = jnp.log(jnp.sin(np.asarray(np.pi, x.dtype) * fraction))
    reflected = _LOG_PI - sine - right
    result = jnp.where(left, jnp.where(jnp.isfinite(sine), reflected, -sine), right)
    return jnp.where(jnp.isinf(x), np.inf, result).astype(x.dtype)


def digamma(x: Any) -> Any:
    """The derivative of log gamma; NaN at the poles below zero."""
    left = x < 0.5
    z = jnp.where(left, -x, x - 1)
    t = z + 7.5
    log_t = jnp.log1p(z / 7.5) + _LOG_T0
    _, slope = _lanczos(z)
    right = log_t + slope - 7 / t
    fraction = x + jnp.abs(jnp.floor(x + 0.5))
    angle = np.asarray(np.pi, x.dtype) * fraction
    reflected = right - np.asarray(np.pi, x.dtype) * jnp.cos(angle) / jnp.sin(angle)
    result = jnp.where(left, reflected, right)
    result = jnp.where((x <= 0) & (x == jnp.floor(x)), np.nan, result)
    return jnp.where(x == 0, -1 / x, result).astype(x.dtype)


# Bernoulli numbers B(2k) / (2k)!, the terms of Euler and Maclaurin's formula.
_EULER_MACLAURIN = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000,
    1 / 74724249600, -3617 / 10670622842880000, 43867 / 5109094217170944000,
)  # fmt: skip


def zeta(x: Any, q: Any) -> Any:
    """Hurwitz's zeta function for x > 1: ten terms, then Euler and Maclaurin's formula."""
    total = sum((q + k) ** -x for k in range(10))
    a = q + 10
    power = a ** (-x)
    total = total + power * a / (x - 1) + power / 2
    factor, power = x, power / a
    for k, coefficient in enumerate(_EULER_MACLAURIN):
        total = total + x.dtype.type(coefficient) * factor * power
        factor = factor * (x + 2 * k + 1) * (x + 2 * k + 2)
        power = power / (a * a)
    whole = q == jnp.floor(q)
    undefined = (x < 1) | ((q <= 0) & ~whole & (x != jnp.floor(x)))
    total = jnp.where(undefined, np.nan, jnp.where((q <= 0) & whole, np.inf, total))
    return jnp.where(x == 1, np.inf, total).astype(x.dtype)


def polygamma(m: Any, x: Any) -> Any:
    """(-1)^(m+1) m! zeta(m + 1, x); digamma for m = 0."""
    sign = jnp.where(jnp.floor(m / 2) * 2 == m, -1, 1).astype(x.dtype)
    series = sign * jnp.exp(lgamma(m + 1)) * zeta(m + 1, x)
    valid = (m >= 0) & (m == jnp.floor(m))
    return jnp.where(m == 0, digamma(x), jnp.where(valid, series, np.nan)).astype(x.dtype)


def _of_jax(implementation: Callable[..., Any]) -> Any:
    """A decomposition of JAX itself, which takes the dtype that it computes in."""

    def function(*operands: Any, **_: Any) -> Any:
        operands = tuple(jnp.broadcast_arrays(*operands))
        return widened(lambda *xs: implementation(*xs, dtype=xs[0].dtype))(*operands)

    return in_jax(function)


def bessel_i1e(x: Any) -> Any:
    """exp(-|x|) I1(x): the power series up to 25, Hankel's expansion above (DLMF 10.25, 10.40)."""
    size = jnp.abs(x)
    low, high = jnp.minimum(size, 25), jnp.maximum(size, 25)
    quarter, series = low * low / 4, jnp.ones_like(x)
    for k in range(45, 0, -1):
        series = 1 + quarter / (k * (k + 1)) * series
    expansion = jnp.ones_like(x)
    for k in range(20, 0, -1):
        expansion = 1 - (4 - (2 * k - 1) ** 2) / (8 * k * high) * expansion
    far = expansion / jnp.sqrt(2 * np.pi * high)
    near = jnp.exp(-low) * low / 2 * series
    return (jnp.sign(x) * jnp.where(size <= 25, near, far)).astype(x.dtype)


register_lowering(special.lgamma_p)(in_jax(lambda x, **_: widened(lgamma)(x)))
register_lowering(special.digamma_p)(in_jax(lambda x, **_: widened(digamma)(x)))
register_lowering(special.zeta_p)(in_jax(lambda x, q, **_: widened(zeta)(x, q)))
register_lowering(special.polygamma_p)(in_jax(lambda m, x, **_: widened(polygamma)(m, x)))
register_lowering(special.igamma_p)(_of_jax(special.igamma_impl))
register_lowering(special.igammac_p)(_of_jax(special.igammac_impl))
register_lowering(special.igamma_grad_a_p)(_of_jax(special.igamma_grad_a_impl))
register_lowering(special.regularized_incomplete_beta_p)(
    _of_jax(special.regularized_incomplete_beta_impl)
)
register_lowering(special.bessel_i0e_p)(in_jax(lambda x, **_: special.bessel_i0e_impl(x)))
register_lowering(special.bessel_i1e_p)(in_jax(lambda x, **_: widened(bessel_i1e)(x)))
