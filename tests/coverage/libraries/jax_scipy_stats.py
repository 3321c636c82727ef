"""Examples of ``jax.scipy.stats``: functions of distributions and of samples."""

from __future__ import annotations

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np
from jax.scipy import stats

from tests.coverage.example import Arg, Example, f, i, of

_X = f(3, 4)
_POSITIVE = f(3, 4, low=0.2, high=2.5)
_UNIT = f(3, 4, low=0.1, high=0.9)
_COUNT = i(3, 4, low=1, high=4)
_SHAPE = f(3, 4, low=1.1, high=3.0)
_LOOSE = (2e-4, 1e-9)

_ARGUMENTS: dict[str, tuple[Arg, ...]] = {
    "bernoulli": (i(3, 4, high=2), _UNIT),
    "beta": (_UNIT, _SHAPE, _SHAPE),
    "betabinom": (_COUNT, f(3, 4, low=5, high=9), _SHAPE, _SHAPE),
    "binom": (_COUNT, f(3, 4, low=5, high=9), _UNIT),
    "cauchy": (_X,),
    "chi2": (_POSITIVE, _SHAPE),
    "expon": (_POSITIVE,),
    "gamma": (_POSITIVE, _SHAPE),
    "gennorm": (_X, _SHAPE),
    "geom": (_COUNT, _UNIT),
    "gumbel_l": (_X,),
    "gumbel_r": (_X,),
    "laplace": (_X,),
    "logistic": (_X,),
    "nbinom": (_COUNT, f(3, 4, low=5, high=9), _UNIT),
    "norm": (_X, _X, _POSITIVE),
    "pareto": (f(3, 4, low=1.2, high=3), _SHAPE),
    "poisson": (_COUNT, _POSITIVE),
    "t": (_X, _SHAPE),
    "truncnorm": (_UNIT, f(3, 4, low=-2, high=0), f(3, 4, low=1, high=2)),
    "uniform": (_UNIT,),
    "vonmises": (_X, _POSITIVE),
    "wrapcauchy": (_UNIT, _UNIT),
}
"""The arguments of densities. Quantiles take a probability as the first argument instead."""


def _of_distributions() -> Iterator[Example]:
    for name, arguments in _ARGUMENTS.items():
        distribution = getattr(stats, name)
        for function in dir(distribution):
            if function.startswith("_") or not callable(getattr(distribution, function)):
                continue
            inputs = (_UNIT, *arguments[1:]) if function in ("ppf", "isf") else arguments
            inputs = arguments[1:] if function == "entropy" else inputs
            yield from of(
                f"{name}.{function}", getattr(distribution, function), *inputs, tolerance=_LOOSE
            )


_SIMPLEX = np.array([0.2, 0.5, 0.3])
EXAMPLES: list[Example] = [
    *_of_distributions(),
    *[
        e
        for n in ("logpdf", "pdf")
        for e in of(
            f"dirichlet.{n}",
            lambda a, n=n: getattr(stats.dirichlet, n)(_SIMPLEX.astype(a.dtype), a),
            f(3, low=1, high=3, fixed=True),
            tolerance=_LOOSE,
            batch="mapped",
        )
    ],
    *[
        e
        for n in ("logpmf", "pmf")
        for e in of(
            f"multinomial.{n}",
            lambda k, n=n: getattr(stats.multinomial, n)(k, k.sum(), _SIMPLEX),
            i(3, high=4, fixed=True),
            tolerance=_LOOSE,
            batch="mapped",
        )
    ],
    *[
        e
        for n in ("logpdf", "pdf")
        for e in of(
            f"multivariate_normal.{n}",
            lambda x, n=n: getattr(stats.multivariate_normal, n)(
                x, jnp.zeros(3, x.dtype), jnp.eye(3, dtype=x.dtype) + 0.5
            ),
            f(4, 3),
            tolerance=_LOOSE,
        )
    ],
    *of("mode", stats.mode, i(3, 6), tolerance=_LOOSE),
    *[
        e
        for m in ("average", "min", "max", "dense", "ordinal")
        for e in of("rankdata", lambda x, m=m: stats.rankdata(x, m, axis=1), f(3, 6), variant=m)
    ],
    *of("sem", lambda x: stats.sem(x, axis=1), f(3, 6)),
    *of(
        "gaussian_kde",
        lambda d, x: stats.gaussian_kde(d)(x),
        f(2, 9, fixed=True),
        f(2, 4, fixed=True),
        tolerance=_LOOSE,
        batch="mapped",
    ),
    *of(
        "gaussian_kde",
        lambda d, x: stats.gaussian_kde(d, "silverman").logpdf(x),
        f(2, 9, fixed=True),
        f(2, 4, fixed=True),
        variant="logpdf",
        tolerance=_LOOSE,
        batch="mapped",
    ),
]
