"""Examples of ``jax.numpy``: elementwise functions of one and two arrays."""

from __future__ import annotations

import jax.numpy as jnp

from tests.coverage.example import Example, b, c, each, f, i, of, u

_REAL = f(3, 4)
_POSITIVE = f(3, 4, low=0.1, high=3.0)
_UNIT = f(3, 4, low=-0.9, high=0.9)
_PAIR = (f(3, 4), f(3, 4))
_WHOLE = (i(3, 4, low=-9, high=9), i(3, 4, low=1, high=6))

_OF_REALS = (
    "abs absolute arctan atan arcsinh asinh cbrt ceil cos cosh deg2rad degrees exp exp2 expm1 fabs "
    "floor i0 isfinite isinf isnan isneginf isposinf nan_to_num negative positive rad2deg radians "
    "reciprocal rint round around sign signbit sin sinc sinh square tan tanh trunc spacing"
)

EXAMPLES: list[Example] = [
    *each(jnp, _OF_REALS, _REAL),
    *each(jnp, "log log2 log10 log1p sqrt", _POSITIVE),
    *each(jnp, "arccos acos arcsin asin arctanh atanh", _UNIT),
    *each(jnp, "arccosh acosh", f(3, 4, low=1.1, high=4.0)),
    *each(
        jnp,
        "abs absolute negative positive sign square invert bitwise_invert bitwise_not "
        "bitwise_count signbit",
        i(3, 4, low=-9, high=9),
    ),
    *each(jnp, "bitwise_count invert", u(3, 4, low=0, high=99)),
    *each(jnp, "invert logical_not", b(3, 4)),
    *each(jnp, "logical_not isreal iscomplex real imag conj conjugate", _REAL),
    *each(
        jnp,
        "abs absolute angle conj conjugate real imag exp log sin cos tan sinh cosh tanh sqrt "
        "square negative reciprocal isreal iscomplex isfinite isinf isnan sign sinc expm1 log1p "
        "log2 log10 arcsin arccos arctan arcsinh arccosh arctanh positive nan_to_num round",
        c(3, 4),
    ),
    *each(jnp, "angle", _REAL, variants=({}, {"deg": True})),
    *each(
        jnp, "round around", f(3, 4, low=-99, high=99), variants=({"decimals": 1}, {"decimals": -1})
    ),
    *each(
        jnp,
        "add subtract multiply divide true_divide maximum minimum fmax fmin arctan2 atan2 hypot "
        "logaddexp logaddexp2 copysign nextafter heaviside float_power equal not_equal greater "
        "greater_equal less less_equal isclose array_equal array_equiv allclose",
        *_PAIR,
    ),
    *each(jnp, "floor_divide remainder mod fmod divmod", f(3, 4), _POSITIVE),
    *each(jnp, "power pow", _POSITIVE, f(3, 4)),
    *each(
        jnp,
        "add subtract multiply divide floor_divide remainder mod fmod divmod maximum minimum gcd "
        "lcm equal not_equal greater greater_equal less less_equal power pow bitwise_and "
        "bitwise_or bitwise_xor left_shift right_shift bitwise_left_shift bitwise_right_shift",
        *_WHOLE,
    ),
    *each(
        jnp,
        "add multiply logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor "
        "equal maximum",
        b(3, 4),
        b(3, 4),
    ),
    *each(jnp, "add subtract multiply divide power equal not_equal", c(3, 4), c(3, 4)),
    *each(jnp, "logical_and logical_or logical_xor", *_PAIR),
    *each(jnp, "ldexp", f(3, 4), i(3, 4, low=-3, high=5)),
    *each(jnp, "frexp modf", f(3, 4)),
    *of("add", jnp.add, f(3, 4), f(4), variant="broadcast"),
    *of("power", lambda x: jnp.power(x, 3), f(3, 4), variant="integer exponent"),
    *each(jnp, "clip", _REAL, variants=({"min": -1.0, "max": 1.0}, {"min": 0}, {"max": 0})),
    *of("clip", jnp.clip, f(3, 4), f(4, low=-1, high=0), f(4, low=0, high=1), variant="arrays"),
    *each(jnp, "where", b(3, 4), f(3, 4), f(3, 4)),
    *of("where", lambda x: jnp.where(x > 0, x, 0), f(3, 4), variant="scalar"),
    *of("where", lambda x: jnp.where(x > 0, size=4, fill_value=-1), f(3, 4), variant="size"),
    *of("select", lambda x, y: jnp.select([x > 1, x > 0], [x, y], 3.0), *_PAIR),
    *of(
        "piecewise",
        lambda x: jnp.piecewise(x, [x < 0, x > 1], [-1.0, jnp.sin, lambda v: v * v]),
        _REAL,
    ),
    *each(jnp, "isscalar iscomplexobj isrealobj", _REAL),
    *each(jnp, "unwrap", f(3, 8, low=-6, high=6), variants=({}, {"axis": 0}, {"period": 4.0})),
    *[
        e
        for t in ("int32", "bool", "float16", "complex64")
        for e in of("astype", lambda x, t=t: jnp.astype(x, t), f(3, 4, low=-9, high=9), variant=t)
    ],
    *[
        e
        for t in ("float32", "int8", "bool")
        for e in of("astype", lambda x, t=t: jnp.astype(x, t), i(3, 4), variant=t)
    ],
    *of("ufunc", jnp.frompyfunc(jnp.add, 2, 1, identity=0), *_PAIR),
    *of("ufunc", lambda x: jnp.add.reduce(x, axis=1), _REAL, variant="reduce"),
    *of("ufunc", lambda x: jnp.multiply.accumulate(x, axis=1), _REAL, variant="accumulate"),
    *of("ufunc", jnp.add.outer, f(3), f(4), variant="outer"),
    *of(
        "ufunc", lambda x: jnp.add.at(x, jnp.array([0, 2]), 1.0, inplace=False), _REAL, variant="at"
    ),
    *of(
        "ufunc", lambda x: jnp.add.reduceat(x, jnp.array([0, 2]), axis=1), _REAL, variant="reduceat"
    ),
    *of("frompyfunc", jnp.frompyfunc(lambda p, q: p + 2 * q, 2, 1), *_PAIR),
    *of("vectorize", jnp.vectorize(jnp.dot, signature="(n),(n)->()"), f(3, 4), f(3, 4)),
]
