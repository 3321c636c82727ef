"""Elementary functions that ONNX has no operator for, or runtimes no kernel in double precision."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
from jax import Array, lax

from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.lower.registry import Results, Rule, in_jax, register_lowering
from jax2onnx.lower.rules.elementwise import is_negative

_LOG_2 = 0.6931471805599453


def polynomial(x: Array, coefficients: Sequence[float]) -> Array:
    """Return a polynomial by Horner's rule; the coefficient of the highest power comes first."""
    total = jnp.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + x.dtype.type(coefficient)
    return total


def doubled(op_type: str, function: Callable[[Array], Array]) -> Rule:
    """Return a rule for an operator without a kernel for doubles; ``function`` decomposes these."""

    def rule(ctx: Context, x: ir.Value, **_: object) -> Results:
        if element_type(x) == ir.DataType.DOUBLE:
            return ctx.lower_function(function, (x,))
        return ctx.op(op_type, x)

    return rule


def _via(function: Callable[..., Array]) -> Rule:
    """Return a rule for a decomposition that takes the operands and none of the params."""
    return in_jax(lambda *operands, **_: function(*operands))


# -- near one ------------------------------------------------------------------------------------


def _log1p(x: Array) -> Array:
    """Return Kahan's log1p: exact where 1 + x rounds to 1 (HP-15C Advanced Functions, 1982).

    The factor x keeps the sign of a zero, which ONNX Runtime's Where does not.
    """
    u = 1.0 + x
    return x * jnp.where((u == 1.0) | (u == np.inf), 1.0, lax.log(u) / (u - 1.0))


def _expm1(x: Array) -> Array:
    """Return Kahan's expm1, the mirror of his log1p.

    The shorter 2 tanh(x/2) / (1 - tanh(x/2)) cancels near 1.
    """
    u = lax.exp(x)
    difference = u - 1.0
    exact = difference * (x / lax.log(u))
    return jnp.where(u == 1.0, x, jnp.where((difference == -1.0) | jnp.isinf(u), difference, exact))


register_lowering(lax.log1p_p)(_via(_log1p))
register_lowering(lax.expm1_p)(_via(_expm1))
register_lowering(lax.cbrt_p)(
    _via(lambda x: jnp.sign(x) * lax.pow(jnp.abs(x), jnp.asarray(1 / 3, x.dtype)))
)

# -- angles --------------------------------------------------------------------------------------

# From the Cephes library (Moshier, 1989).
# fmt: off
_ATAN = (
    (-8.750608600031904122785e-1, -1.615753718733365076637e1, -7.500855792314704667340e1,
     -1.228866684490136173410e2, -6.485021904942025371773e1),
    (1.0, 2.485846490142306297962e1, 1.650270098316988542046e2, 4.328810604912902668951e2,
     4.853903996359136964868e2, 1.945506571482613964425e2),
)
# fmt: on


def _atan(x: Array) -> Array:
    """Return atan as Cephes does, which brings the angle below atan(0.66) by pi / 2 or pi / 4."""
    size = jnp.abs(x)
    steep, flat = size > 1 + np.sqrt(2), size <= 0.66
    turned = (size - 1) / jnp.where(jnp.isinf(size), 1, size + 1)
    t = jnp.where(steep, -1 / jnp.where(steep, size, 1), jnp.where(flat, size, turned))
    z = t * t
    angle = t + t * (z * polynomial(z, _ATAN[0]) / polynomial(z, _ATAN[1]))
    return jnp.sign(x) * (jnp.where(steep, np.pi / 2, jnp.where(flat, 0, np.pi / 4)) + angle)


def _atan2(y: Array, x: Array) -> Array:
    """Return atan2 with the quadrants, signed zeros and infinities of C99, annex F.10.1.4."""
    width, height = jnp.abs(x), jnp.abs(y)
    ratio = jnp.where(width == height, jnp.where(width == 0, 0, 1), height / width)
    angle = lax.atan(ratio.astype(x.dtype))
    angle = jnp.where(is_negative(x), np.asarray(np.pi, x.dtype) - angle, angle)
    angle = jnp.where(is_negative(y), -angle, angle)
    return jnp.where(jnp.isnan(x) | jnp.isnan(y), np.nan, angle).astype(x.dtype)


register_lowering(lax.atan_p)(doubled("Atan", _atan))
register_lowering(lax.atan2_p)(_via(_atan2))
register_lowering(lax.asin_p)(doubled("Asin", lambda x: lax.atan(x / jnp.sqrt((1 - x) * (1 + x)))))
register_lowering(lax.acos_p)(doubled("Acos", lambda x: 2 * lax.atan(jnp.sqrt((1 - x) / (1 + x)))))
register_lowering(lax.tan_p)(doubled("Tan", lambda x: lax.sin(x) / lax.cos(x)))

# -- hyperbolic functions ------------------------------------------------------------------------


def _sinh(x: Array) -> Array:
    size = jnp.abs(x)
    less, root = lax.expm1(size), lax.exp(size / 2)
    small = (less + less / (less + 1)) / 2
    return jnp.sign(x) * jnp.where(size > 40, root / 2 * root, small)


def _cosh(x: Array) -> Array:
    root = lax.exp(jnp.abs(x) / 2)
    return root / 2 * root + 0.5 / root / root


def _asinh(x: Array) -> Array:
    size = jnp.abs(x)
    square = size * size
    near = lax.log1p(size + square / (1 + jnp.sqrt(square + 1)))
    return jnp.sign(x) * jnp.where(size > 1e9, lax.log(size) + _LOG_2, near)


def _acosh(x: Array) -> Array:
    more = x - 1
    near = lax.log1p(more + jnp.sqrt(more * (x + 1)))
    return jnp.where(x < 1, np.nan, jnp.where(x > 1e9, lax.log(x) + _LOG_2, near))


register_lowering(lax.sinh_p)(doubled("Sinh", _sinh))
register_lowering(lax.cosh_p)(doubled("Cosh", _cosh))
register_lowering(lax.asinh_p)(doubled("Asinh", _asinh))
register_lowering(lax.acosh_p)(doubled("Acosh", _acosh))
register_lowering(lax.atanh_p)(doubled("Atanh", lambda x: (lax.log1p(x) - lax.log1p(-x)) / 2))
# ONNX Runtime's Sigmoid of doubles is 0 below about -40.
register_lowering(lax.logistic_p)(doubled("Sigmoid", lambda x: 1 / (1 + lax.exp(-x))))
