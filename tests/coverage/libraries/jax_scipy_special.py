"""``jax.scipy.special``."""

from __future__ import annotations

import jax.numpy as jnp
from jax.scipy import special

from tests.coverage.example import Example, c, each, f, i, of, present

_X = f(3, 4)
_POSITIVE = f(3, 4, low=0.2, high=3.0)
_UNIT = f(3, 4, low=0.05, high=0.95)
_SERIES = (2e-4, 1e-9)

EXAMPLES: list[Example] = [
    *each(
        special,
        "erf erfc erfcx expit dawsn digamma entr gammaln gammasgn i0 i0e i1 i1e log_ndtr "
        "log_softmax softmax logsumexp ndtr loggamma",
        _X,
        tolerance=(1e-4, 1e-10),
    ),
    *each(
        special, "gamma factorial exp1 expi spence fresnel sici", _POSITIVE, tolerance=(1e-4, 1e-10)
    ),
    *of("gamma", special.gamma, _X, variant="negative", tolerance=(1e-4, 1e-10)),
    *each(special, "erfinv", f(3, 4, low=-0.9, high=0.9)),
    *each(special, present(special, "erfcinv"), f(3, 4, low=0.1, high=1.9)),
    *each(special, "logit ndtri", _UNIT),
    *each(
        special,
        "beta betaln poch kl_div rel_entr xlogy xlog1py gammainc gammaincc",
        _POSITIVE,
        _POSITIVE,
        tolerance=(1e-4, 1e-10),
    ),
    *each(special, "comb", f(3, 4, low=4, high=8), _POSITIVE, tolerance=(1e-4, 1e-10)),
    *each(special, "owens_t", _X, _POSITIVE, tolerance=(1e-4, 1e-10)),
    *each(special, "zeta", f(3, 4, low=1.5, high=4), _POSITIVE, tolerance=_SERIES),
    *each(special, "boxcox boxcox1p", _POSITIVE, f(), tolerance=(1e-4, 1e-10)),
    *each(special, "betainc", _POSITIVE, _POSITIVE, _UNIT, tolerance=(1e-4, 1e-10)),
    *of("expn", lambda x: special.expn(2, x), _POSITIVE, tolerance=(1e-4, 1e-10)),
    *of(
        "hyp1f1",
        special.hyp1f1,
        f(3, low=1, high=2),
        f(3, low=2, high=3),
        f(3, low=-1, high=1),
        tolerance=_SERIES,
    ),
    *of(
        "hyp2f1",
        special.hyp2f1,
        f(3, low=1, high=2),
        f(3, low=1, high=2),
        f(3, low=2, high=3),
        f(3, low=-0.5, high=0.5),
        tolerance=_SERIES,
    ),
    *of(
        "multigammaln", lambda x: special.multigammaln(x + 3, 2), _POSITIVE, tolerance=(1e-4, 1e-10)
    ),
    *of("polygamma", lambda x: special.polygamma(2, x), _POSITIVE, tolerance=_SERIES),
    *each(special, "polygamma", i(3, 4, low=1, high=4), _POSITIVE, tolerance=_SERIES),
    *of("bernoulli", lambda x: x + special.bernoulli(8)[0], _X, tolerance=_SERIES),
    *of(
        "bessel_jn",
        lambda x: special.bessel_jn(x, v=3, n_iter=20),
        f(4, low=0.5, high=5),
        tolerance=(1e-3, 1e-8),
    ),
    *of(
        "sph_harm_y",
        lambda n, m, t, p: special.sph_harm_y(n, m, t, p, n_max=3),
        i(3, low=2, high=4),
        i(3, low=0, high=2),
        f(3, low=0, high=3),
        f(3, low=0, high=6),
        tolerance=_SERIES,
    ),
    *each(special, "wofz", c(3, 4), tolerance=_SERIES),
    *each(special, "log_softmax logsumexp", _X, variants=({"axis": 1},)),
    *of(
        "logsumexp",
        lambda x, w: special.logsumexp(x, axis=1, b=jnp.abs(w)),
        _X,
        _X,
        variant="weights",
    ),
    *each(special, "expit", f(3, 4, dtype="float16")),
]
