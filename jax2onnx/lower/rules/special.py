"""Special functions, written in JAX; JAX's own decomposition is taken where it has one.

Coefficients are those of the Cephes library (Moshier, 1989; erf and erfc), of Lanczos's
approximation with g = 7 (gamma), and of Giles, "Approximating the erfinv function" (2012).
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax2onnx import jax_internals
from jax2onnx.lower.registry import Decomposition, in_jax, register_lowering
from jax2onnx.lower.rules.transcendental import doubled, polynomial


def widened(function: Callable[..., Array]) -> Callable[..., Array]:
    """Return ``function``, which computes in float32 if its operands are narrower."""

    def at_least_float32(*operands: Array, **params: Any) -> Array:
        dtype = operands[0].dtype
        if dtype.itemsize >= 4:
            return function(*operands, **params)
        wide = function(*(x.astype(jnp.float32) for x in operands), **params)
        return wide.astype(dtype)

    return at_least_float32


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
_ERFINV = (
    (0, 2.5, (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
              -0.00125372503, -0.00417768164, 0.246640727, 1.50140941)),
    (5, 3, (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
            -0.0076224613, 0.00943887047, 1.00167406, 2.83297682)),
)
_ERFINV_DOUBLE = (
    (0, 3.125, (-3.6444120640178196996e-21, -1.685059138182016589e-19, 1.2858480715256400167e-18,
                1.115787767802518096e-17, -1.333171662854620906e-16, 2.0972767875968561637e-17,
                6.6376381343583238325e-15, -4.0545662729752068639e-14, -8.1519341976054721522e-14,
                2.6335093153082322977e-12, -1.2975133253453532498e-11, -5.4154120542946279317e-11,
                1.051212273321532285e-09, -4.1126339803469836976e-09, -2.9070369957882005086e-08,
                4.2347877827932403518e-07, -1.3654692000834678645e-06, -1.3882523362786468719e-05,
                0.0001867342080340571352, -0.00074070253416626697512, -0.0060336708714301490533,
                0.24015818242558961693, 1.6536545626831027356)),
    (6.25, 3.25, (2.2137376921775787049e-09, 9.0756561938885390979e-08, -2.7517406297064545428e-07,
                  1.8239629214389227755e-08, 1.5027403968909827627e-06, -4.013867526981545969e-06,
                  2.9234449089955446044e-06, 1.2475304481671778723e-05, -4.7318229009055733981e-05,
                  6.8284851459573175448e-05, 2.4031110387097893999e-05, -0.0003550375203628474796,
                  0.00095328937973738049703, -0.0016882755560235047313, 0.0024914420961078508066,
                  -0.0037512085075692412107, 0.005370914553590063617, 1.0052589676941592334,
                  3.0838856104922207635)),
    (16, 5, (-2.7109920616438573243e-11, -2.5556418169965252055e-10, 1.5076572693500548083e-09,
             -3.7894654401267369937e-09, 7.6157012080783393804e-09, -1.4960026627149240478e-08,
             2.9147953450901080826e-08, -6.7711997758452339498e-08, 2.2900482228026654717e-07,
             -9.9298272942317002539e-07, 4.5260625972231537039e-06, -1.9681778105531670567e-05,
             7.5995277030017761139e-05, -0.00021503011930044477347, -0.00013871931833623122026,
             1.0103004648645343977, 4.8499064014085844221)),
)
_LANCZOS = (0.99999999999980993227684700473478, 676.520368121885098567009190444019,
            -1259.13921672240287047156078755283, 771.3234287776530788486528258894,
            -176.61502916214059906584551354, 12.507343278686904814458936853,
            -0.13857109526572011689554707, 9.984369578019570859563e-6, 1.50563273514931155834e-7)
# fmt: on

# Written out, since a logarithm may differ between machines in its last bit.
_LOG_T0 = 2.0149030205422647  # log 7.5
_LOG_PI = 1.1447298858494002
_LOG_2PI = 1.8378770664093453


def _ratio(x: Array, pair: tuple[Sequence[float], Sequence[float]]) -> Array:
    return polynomial(x, pair[0]) / polynomial(x, pair[1])


def _erf_near_zero(x: Array) -> Array:
    return x * _ratio(x * x, _ERF)


def _erfc_tail(size: Array) -> Array:
    """Return erfc of numbers from 1 up; it is above zero below 27 (9 in float32)."""
    near = _ratio(jnp.minimum(size, 8), _ERFC_BELOW_8)
    far = _ratio(jnp.maximum(size, 8), _ERFC_ABOVE_8)
    tail = jnp.exp(-size * size) * jnp.where(size < 8, near, far)
    return jnp.where(size < 27, tail, 0)


def erf(x: Array) -> Array:
    """Return the error function, in the precision of x."""
    size = jnp.abs(x)
    beyond = jnp.sign(x) * (1 - _erfc_tail(jnp.clip(size, 1, 30)))
    return jnp.where(size < 1, _erf_near_zero(jnp.clip(x, -1, 1)), beyond)


def erfc(x: Array) -> Array:
    """Return 1 - erf(x), without cancellation where that is small."""
    size = jnp.abs(x)
    tail = _erfc_tail(jnp.clip(size, 1, 30))
    beyond = jnp.where(x < 0, 2 - tail, tail)
    result = jnp.where(size < 1, 1 - _erf_near_zero(jnp.clip(x, -1, 1)), beyond)
    return jnp.where(jnp.isnan(x), x, result)


def erf_inv(y: Array) -> Array:
    """Return Giles's polynomials: the first in -log(1 - y^2), the others in its square root."""
    w = -jnp.log1p(-y * y)
    x, root = jnp.full_like(y, np.nan), jnp.sqrt(w)
    for start, centre, coefficients in _ERFINV_DOUBLE if y.dtype == np.float64 else _ERFINV:
        near = (root if start else w) - y.dtype.type(centre)
        x = jnp.where(w >= start, polynomial(near, coefficients), x)
    return jnp.where(jnp.abs(y) == 1, y * np.inf, y * x).astype(y.dtype)


register_lowering(lax.erf_p)(doubled("Erf", erf))
register_lowering(lax.erfc_p)(in_jax(lambda x, **_: widened(erfc)(x)))
register_lowering(lax.erf_inv_p)(in_jax(lambda x, **_: widened(erf_inv)(x)))


# -- gamma and its kin ---------------------------------------------------------------------------


def _lanczos(z: Array) -> tuple[Array, Array]:
    """Return Lanczos's sum A(z), and its derivative divided by it."""
    total, slope = jnp.full_like(z, _LANCZOS[0]), jnp.zeros_like(z)
    for k, coefficient in enumerate(_LANCZOS[1:], 1):
        share = z.dtype.type(coefficient) / (z + k)
        total, slope = total + share, slope - share / (z + k)
    return total, slope / total


def lgamma(x: Array) -> Array:
    """Return log |gamma(x)|, below 1/2 by reflection."""
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


_DIGAMMA_OF_ZERO = -np.inf if jax.__version_info__ >= (0, 11, 2) else np.nan


def digamma(x: Array) -> Array:
    """Return the derivative of log gamma; NaN at the poles below zero."""
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
    pole = jnp.where(x == 0, _DIGAMMA_OF_ZERO, np.nan)
    return jnp.where((x <= 0) & (x == jnp.floor(x)), pole, result).astype(x.dtype)


# Bernoulli numbers B(2k) / (2k)!, the terms of Euler and Maclaurin's formula.
_EULER_MACLAURIN = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000,
    1 / 74724249600, -3617 / 10670622842880000, 43867 / 5109094217170944000,
    -174611 / 802857662698291200000, 854513 / 155112100433309859840000,
    -236364091 / 1693824136731743669452800000,
)  # fmt: skip


def zeta(x: Array, q: Array) -> Array:
    """Return Hurwitz's zeta for x >= 1 by ten terms, and Euler and Maclaurin's formula."""
    first = sum((q + k) ** -x for k in range(10))
    a = q + 10
    power, rest = a ** (-x), jnp.zeros_like(x)
    for k, coefficient in reversed([*enumerate(_EULER_MACLAURIN)]):
        rest = x.dtype.type(coefficient) + (x + 2 * k + 1) * (x + 2 * k + 2) / (a * a) * rest
    total = first + power * a / (x - 1) + power * (x.dtype.type(0.5) + x / a * rest)
    below = q <= 0
    # At a pole, the limits from both sides are equal only for an even x.
    pole = jnp.where(lax.rem(x, x.dtype.type(2)) == 0, np.inf, np.nan)
    total = jnp.where((x < 1) | (below & (x != jnp.floor(x))), np.nan, total)
    total = jnp.where(below & (q == jnp.floor(q)), pole, total)
    return jnp.where(x == 1, np.inf, total).astype(x.dtype)


def polygamma(m: Array, x: Array) -> Array:
    """Return (-1)^(m+1) m! zeta(m + 1, x), and digamma for m = 0."""
    sign = jnp.where(jnp.floor(m / 2) * 2 == m, -1, 1).astype(x.dtype)
    series = sign * jnp.exp(lgamma(m + 1)) * zeta(m + 1, x)
    valid = (m >= 0) & (m == jnp.floor(m))
    return jnp.where(m == 0, digamma(x), jnp.where(valid, series, np.nan)).astype(x.dtype)


def _of_jax(implementation: Callable[..., Any]) -> Decomposition:
    """Return a rule that is JAX's own decomposition, which takes the dtype to compute in."""

    def function(*operands: Array, **_: object) -> Array:
        broadcast = jnp.broadcast_arrays(*operands)
        return widened(lambda *xs: implementation(*xs, dtype=xs[0].dtype))(*broadcast)

    return in_jax(function)


def bessel_i1e(x: Array) -> Array:
    """Return exp(-|x|) I1(x), by the power series up to 25 and Hankel's expansion above.

    DLMF 10.25 and 10.40 have both.
    """
    size = jnp.abs(x)
    low, high = jnp.minimum(size, 25), jnp.maximum(size, 25)
    quarter, series = low * low / 4, jnp.ones_like(x)
    for k in range(45, 0, -1):
        series = 1 + quarter / (k * (k + 1)) * series
    expansion = jnp.ones_like(x)
    for k in range(20, 0, -1):
        expansion = 1 - (4 - (2 * k - 1) ** 2) / (8 * k * high) * expansion
    far = expansion / (np.sqrt(2 * np.pi) * jnp.sqrt(high))
    near = jnp.exp(-low) * low / 2 * series
    return (jnp.sign(x) * jnp.where(size <= 25, near, far)).astype(x.dtype)


register_lowering(lax.lgamma_p)(in_jax(lambda x, **_: widened(lgamma)(x)))
register_lowering(lax.digamma_p)(in_jax(lambda x, **_: widened(digamma)(x)))
register_lowering(lax.zeta_p)(in_jax(lambda x, q, **_: widened(zeta)(x, q)))
register_lowering(lax.polygamma_p)(in_jax(lambda m, x, **_: widened(polygamma)(m, x)))
register_lowering(lax.igamma_p)(_of_jax(jax_internals.igamma))
register_lowering(lax.igammac_p)(_of_jax(jax_internals.igammac))
register_lowering(lax.igamma_grad_a_p)(_of_jax(jax_internals.igamma_grad_a))
register_lowering(lax.regularized_incomplete_beta_p)(
    _of_jax(jax_internals.regularized_incomplete_beta)
)
register_lowering(lax.bessel_i0e_p)(in_jax(lambda x, **_: jax_internals.bessel_i0e(x)))
register_lowering(lax.bessel_i1e_p)(in_jax(lambda x, **_: widened(bessel_i1e)(x)))
