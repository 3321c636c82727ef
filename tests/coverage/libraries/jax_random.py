"""Examples of ``jax.random``. The same key gives the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import random

from tests.coverage.example import Example, f, i, key, mapped, of

_LOOSE = (1e-4, 1e-9)


def _draw(name: str, *parameters: Any, **options: Any) -> Callable[..., jax.Array]:
    return lambda k: getattr(random, name)(random.wrap_key_data(k), *parameters, **options)


def _by_input(name: str, *parameters: Any, **options: Any) -> Callable[..., jax.Array]:
    return lambda k, x: getattr(random, name)(random.wrap_key_data(k), x, *parameters, **options)


_SHAPED = "bits cauchy exponential gumbel laplace logistic maxwell normal rademacher uniform"
_P = np.array([0.2, 0.5, 0.3])

EXAMPLES: list[Example] = mapped(
    [
        *[
            e
            for name in _SHAPED.split()
            for e in of(name, _draw(name, (3, 4)), key(), tolerance=_LOOSE)
        ],
        *[
            e
            for d in ("float16", "bfloat16")
            for e in of("uniform", _draw("uniform", (3, 4), d), key(), variant=d)
        ],
        *of(
            "normal",
            _draw("normal", (3, 4), "complex64"),
            key(),
            variant="complex",
            skip=("f64",),
            tolerance=_LOOSE,
        ),
        *of("normal", _draw("normal", (3, 4), "bfloat16"), key(), variant="bfloat16"),
        *of("uniform", _draw("uniform", (3, 4), minval=-2.0, maxval=3.0), key(), variant="range"),
        *of("bits", _draw("bits", (3, 4), "uint8"), key(), variant="uint8"),
        *of("bits", _draw("bits", (3, 4), "uint16"), key(), variant="uint16"),
        *of("uniform", _draw("uniform", ()), key(), variant="scalar"),
        *of("ball", _draw("ball", 3, shape=(4,)), key(), tolerance=_LOOSE),
        *of("bernoulli", _draw("bernoulli", 0.3, (3, 4)), key()),
        *of(
            "bernoulli",
            _by_input("bernoulli"),
            key(),
            f(3, 4, low=0.1, high=0.9),
            variant="by an input",
        ),
        *of("beta", _draw("beta", 2.0, 3.0, (4,)), key(), tolerance=_LOOSE),
        *of("binomial", _draw("binomial", 10.0, 0.3, (4,)), key()),
        *of("categorical", _draw("categorical", jnp.log(_P), shape=(4,)), key()),
        *of("categorical", _by_input("categorical"), key(), f(4, 5), variant="by an input"),
        *of("chisquare", _draw("chisquare", 3.0, shape=(4,)), key(), tolerance=_LOOSE),
        *of("choice", _draw("choice", 7, (4,)), key()),
        *of("choice", _draw("choice", 7, (4,), replace=False), key(), variant="no replacement"),
        *of("choice", _by_input("choice", (2,)), key(), f(5, 3), variant="by an input"),
        *of("choice", _draw("choice", 3, (4,), p=_P), key(), variant="p"),
        *of(
            "choice",
            _draw("choice", 3, (2,), replace=False, p=_P),
            key(),
            variant="p,no replacement",
        ),
        *of(
            "dirichlet",
            _draw("dirichlet", jnp.array([1.0, 2.0, 3.0]), (4,)),
            key(),
            tolerance=_LOOSE,
        ),
        *of(
            "double_sided_maxwell",
            _draw("double_sided_maxwell", 0.0, 1.0, (4,)),
            key(),
            tolerance=_LOOSE,
        ),
        *of("f", _draw("f", 3.0, 4.0, (4,)), key(), tolerance=_LOOSE),
        *of("gamma", _draw("gamma", 2.5, (4,)), key(), tolerance=_LOOSE),
        *of(
            "gamma",
            _by_input("gamma"),
            key(),
            f(4, low=0.3, high=3),
            variant="by an input",
            tolerance=_LOOSE,
        ),
        *of("loggamma", _draw("loggamma", 2.5, (4,)), key(), tolerance=_LOOSE),
        *of("generalized_normal", _draw("generalized_normal", 1.5, (4,)), key(), tolerance=_LOOSE),
        *of("geometric", _draw("geometric", 0.3, (4,)), key()),
        *of("lognormal", _draw("lognormal", 0.5, (4,)), key(), tolerance=_LOOSE),
        *of("multinomial", _draw("multinomial", 10.0, _P), key()),
        *of(
            "multivariate_normal",
            _draw("multivariate_normal", np.zeros(3), np.eye(3) + 0.5, (4,)),
            key(),
            tolerance=_LOOSE,
        ),
        *of("orthogonal", _draw("orthogonal", 3), key(), tolerance=(1e-3, 1e-9)),
        *of("pareto", _draw("pareto", 2.0, (4,)), key(), tolerance=_LOOSE),
        *of("permutation", _draw("permutation", 7), key()),
        *of("permutation", _by_input("permutation"), key(), f(5, 3), variant="by an input"),
        *of(
            "permutation",
            _by_input("permutation", axis=1, independent=True),
            key(),
            f(5, 3),
            variant="independent",
        ),
        *of("poisson", _draw("poisson", 3.0, (4,)), key()),
        *of("poisson", _draw("poisson", 30.0, (4,)), key(), variant="large"),
        *of("randint", _draw("randint", (3, 4), -3, 9), key()),
        *of("randint", _draw("randint", (3, 4), 0, 200, "uint8"), key(), variant="uint8"),
        *of(
            "randint",
            lambda k, n: random.randint(random.wrap_key_data(k), (3, 4), 0, n),
            key(),
            i(low=2, high=9),
            variant="by an input",
        ),
        *of("rayleigh", _draw("rayleigh", 2.0, (4,)), key(), tolerance=_LOOSE),
        *of("t", _draw("t", 3.0, (4,)), key(), tolerance=_LOOSE),
        *of("triangular", _draw("triangular", 0.0, 0.5, 2.0, (4,)), key(), tolerance=_LOOSE),
        *of(
            "truncated_normal", _draw("truncated_normal", -1.0, 2.0, (4,)), key(), tolerance=_LOOSE
        ),
        *of("wald", _draw("wald", 2.0, (4,)), key(), tolerance=_LOOSE),
        *of("weibull_min", _draw("weibull_min", 2.0, 1.5, (4,)), key(), tolerance=_LOOSE),
        *of("split", lambda k: random.key_data(random.split(random.wrap_key_data(k), 3)), key()),
        *of(
            "fold_in",
            lambda k, n: random.key_data(random.fold_in(random.wrap_key_data(k), n)),
            key(),
            i(high=99),
        ),
        *of("clone", lambda k: random.key_data(random.clone(random.wrap_key_data(k))), key()),
        *of("key", lambda n: random.key_data(random.key(n)), i(high=99)),
        *of("PRNGKey", random.PRNGKey, i(high=99)),
        *of("key_data wrap_key_data", lambda k: random.key_data(random.wrap_key_data(k)), key()),
        *[
            e
            for impl in ("rbg", "unsafe_rbg")
            for e in of(
                "key",
                lambda n, p=impl: random.key_data(random.key(n, impl=p)),
                i(high=99),
                variant=impl,
            )
        ],
    ]
)
