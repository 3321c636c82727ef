"""Examples of ``jax.lax``: elementwise functions of one and two arrays."""

from __future__ import annotations

from typing import Any

import jax
from jax import lax

from tests.coverage.example import Example, b, c, each, f, i, of, present, u

_X = f(3, 4)
_POSITIVE = f(3, 4, low=0.2, high=3.0)
_UNIT = f(3, 4, low=-0.9, high=0.9)
_TWO = (f(3, 4), f(3, 4))
_INTS = (i(3, 4, low=-9, high=9), i(3, 4, low=1, high=6))


def _over_axis(name: str, x: Any) -> Any:
    def body(row: Any) -> Any:
        if name in ("axis_index", "axis_size"):
            return row + getattr(lax, name)("k")
        return getattr(lax, name)(row, "k")

    return jax.vmap(body, axis_name="k")(x)


EXAMPLES: list[Example] = [
    *each(
        lax,
        "abs asinh atan bessel_i0e bessel_i1e cbrt ceil cos cosh erf erfc exp exp2 expm1 floor "
        "is_finite lgamma digamma logistic neg round sign sin sinh square tan tanh stop_gradient",
        _X,
    ),
    *each(lax, "log log1p rsqrt sqrt reciprocal", _POSITIVE),
    *each(lax, present(lax, "log2"), _POSITIVE),
    *each(lax, present(lax, "one_minus_square"), _X),
    *of(
        present(lax, "polynomial"),
        lambda x, y: lax.polynomial(x, (1.0, y, -0.5, 2.0)),
        *_TWO,
    ),
    *each(lax, "acos asin atanh erf_inv", _UNIT),
    *each(lax, "acosh", f(3, 4, low=1.1, high=4)),
    *each(lax, "abs neg sign square bitwise_not population_count clz", i(3, 4, low=-9, high=9)),
    *each(lax, "clz population_count bitwise_not", u(3, 4, high=99)),
    *each(lax, "bitwise_not", b(3, 4)),
    *each(
        lax,
        "abs cos exp log sin sinh cosh tan tanh sqrt rsqrt real imag conj neg square sign expm1 "
        "log1p asin acos atan asinh acosh atanh logistic reciprocal",
        c(3, 4),
    ),
    *each(lax, "round", _X, variants=({"rounding_method": lax.RoundingMethod.TO_NEAREST_EVEN},)),
    *each(lax, "integer_pow", _X, variants=({"y": 3}, {"y": -2}, {"y": 2})),
    *each(lax, "integer_pow", i(3, 4), variants=({"y": 3},)),
    *each(lax, "add sub mul div max min atan2 nextafter eq ne ge gt le lt rem", *_TWO),
    *each(
        lax,
        "add sub mul div max min rem eq ne ge gt le lt bitwise_and bitwise_or bitwise_xor mulhi",
        *_INTS,
    ),
    *each(lax, "pow", _POSITIVE, _X),
    *each(lax, "pow", _X, i(3, 4, high=4)),
    *each(lax, "shift_left shift_right_arithmetic shift_right_logical", *_INTS),
    *each(
        lax,
        "shift_left shift_right_logical shift_right_arithmetic",
        u(3, 4, high=99),
        u(3, 4, high=9),
    ),
    *each(lax, "bitwise_and bitwise_or bitwise_xor eq ne max min", b(3, 4), b(3, 4)),
    *each(lax, "add sub mul div eq ne pow", c(3, 4), c(3, 4)),
    *each(lax, "complex", *_TWO),
    *each(lax, "igamma igammac igamma_grad_a random_gamma_grad", _POSITIVE, _POSITIVE),
    *each(lax, "betainc", _POSITIVE, _POSITIVE, f(3, 4, low=0.1, high=0.9)),
    *of(
        "polygamma",
        lambda x: lax.polygamma(lax.full_like(x, 1.0), x),
        _POSITIVE,
        tolerance=(1e-4, 1e-10),
    ),
    *of("zeta", lambda x: lax.zeta(x + 1.5, x), _POSITIVE, tolerance=(1e-4, 1e-10)),
    *of("clamp", lax.clamp, f(), _X, f(low=2, high=3)),
    *of("clamp", lambda x: lax.clamp(-0.5, x, 0.5), _X, variant="constants"),
    *each(lax, "select", b(3, 4), *_TWO),
    *each(lax, "select_n", b(3, 4), *_TWO),
    *each(lax, "select_n", i(3, 4, high=3), *_TWO, f(3, 4)),
    *each(
        lax,
        "convert_element_type",
        _X,
        variants=({"new_dtype": "int32"}, {"new_dtype": "bool"}, {"new_dtype": "float16"}),
    ),
    *each(lax, "reduce_precision", _X, variants=({"exponent_bits": 5, "mantissa_bits": 10},)),
    *of(
        "bitcast_convert_type",
        lambda x: lax.bitcast_convert_type(x, "int32"),
        f(3, 4, dtype="float32"),
    ),
    *of(
        "bitcast_convert_type",
        lambda x: lax.bitcast_convert_type(x, "uint8"),
        _X,
        variant="narrower",
    ),
    *each(lax, "optimization_barrier", _X),
    *of("after_all", lambda x: (lax.after_all(lax.create_token()), x)[1], _X),
    *of(
        "with_sharding_constraint",
        lambda x: lax.with_sharding_constraint(
            x, jax.sharding.SingleDeviceSharding(jax.devices()[0])
        ),
        _X,
    ),
    *of("create_token", lambda x: (lax.create_token(), x)[1], _X),
    *of("dce_sink", lambda x: (lax.dce_sink(x), x + 1)[1], _X),
    *of(
        "rng_bit_generator",
        lambda k: lax.rng_bit_generator(k, (3, 4))[1],
        u(4, dtype="uint32", high=2**32 - 1, fixed=True),
    ),
    # The numbers differ from run to run, unless there is but one to choose.
    *of("rng_uniform", lambda low, high: lax.rng_uniform(low, high, (3, 4)) < high, f(), f(low=2)),
    *of("composite", lax.composite(lambda y: y + 1, "my.plus_one"), _X),
    *of(
        "platform_dependent", lambda x: lax.platform_dependent(x, cpu=lax.sin, default=lax.cos), _X
    ),
    *[
        e
        for name in ("psum", "pmean", "pmax", "pmin", "all_gather", "axis_index", "axis_size")
        for e in of(
            name,
            lambda x, n=name: _over_axis(n, x),
            _X,
            skip=("symbolic",) if name != "psum" else (),
        )
    ],
    *of(
        "ppermute",
        jax.vmap(lambda y: lax.ppermute(y, "k", [(0, 1), (1, 2), (2, 0)]), axis_name="k"),
        _X,
        skip=("symbolic",),
    ),
    *of(
        "pshuffle",
        jax.vmap(lambda y: lax.pshuffle(y, "k", [2, 0, 1]), axis_name="k"),
        _X,
        skip=("symbolic",),
    ),
    *of(
        "pswapaxes",
        jax.vmap(lambda y: lax.pswapaxes(y, "k", 0), axis_name="k"),
        f(3, 3),
        skip=("symbolic",),
    ),
    *of(
        "all_to_all",
        jax.vmap(lambda y: lax.all_to_all(y, "k", 0, 0), axis_name="k"),
        f(3, 3),
        skip=("symbolic",),
    ),
    *of(
        "psum_scatter",
        jax.vmap(lambda y: lax.psum_scatter(y, "k"), axis_name="k"),
        f(3, 3),
        skip=("symbolic",),
    ),
]
