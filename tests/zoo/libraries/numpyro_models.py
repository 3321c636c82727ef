"""Distributions and models of NumPyro."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array
from numpyro.infer.util import log_density, potential_energy

from tests.coverage.example import f, i
from tests.zoo.model import of


def _regression(x: Any, y: Any = None) -> None:
    weights = numpyro.sample("weights", dist.Normal(jnp.zeros(3), 1.0).to_event(1))
    scale = numpyro.sample("scale", dist.HalfNormal(1.0))
    with numpyro.plate("rows", 7):
        numpyro.sample("y", dist.Normal(x @ weights, scale), obs=y)


def _density(weights: Array, scale: Array, x: Array, y: Array) -> Any:
    return log_density(_regression, (x, y), {}, {"weights": weights, "scale": scale})[0]


def _gradient(weights: Array, scale: Array, x: Array, y: Array) -> Any:
    """Return the gradient that Hamiltonian Monte Carlo follows."""

    def energy(params: Any) -> Any:
        return potential_energy(_regression, (x, y), {}, params)

    return jax.grad(energy)({"weights": weights, "scale": scale})


def _predicted(x: Array) -> Any:
    model = numpyro.handlers.seed(_regression, jax.random.key(0))
    trace = numpyro.handlers.trace(model).get_trace(x)
    return trace["y"]["value"]


ROWS = (f(3), f(low=0.5, high=1.5), f(7, 3), f(7))

MODELS = [
    of("density of a regression", _density, *ROWS),
    of("gradient of a regression", _gradient, *ROWS),
    of("draw from a regression", _predicted, f(7, 3)),
    of(
        "LKJ Cholesky",
        lambda x: dist.LKJCholesky(3, 2.0).log_prob(jnp.linalg.cholesky(x @ x.T + 3 * jnp.eye(3))),
        f(3, 3),
    ),
    of(
        "zero-inflated Poisson",
        lambda n: dist.ZeroInflatedPoisson(0.2, 2.0).log_prob(n),
        i(4),
        batch=True,
    ),
    of(
        "ordered logistic",
        lambda x, n: dist.OrderedLogistic(x, jnp.array([-1.0, 0.0, 1.0])).log_prob(n),
        f(4),
        i(4, high=4),
        batch=True,
    ),
    of(
        "truncated normal",
        lambda x: dist.TruncatedNormal(0.3, 1.0, low=0.0).log_prob(x),
        f(4, low=0.1),
        batch=True,
    ),
    of("beta binomial", lambda n: dist.BetaBinomial(2.0, 3.0, 6).log_prob(n), i(4), batch=True),
    of(
        "low-rank Gaussian",
        lambda x: dist.LowRankMultivariateNormal(
            jnp.zeros(4), 0.5 * jnp.ones((4, 1)), jnp.ones(4)
        ).log_prob(x),
        f(3, 4),
        batch=True,
    ),
    of("stick breaking", dist.transforms.StickBreakingTransform(), f(3, 4), batch=True),
    of("correlations", dist.transforms.CorrCholeskyTransform(), f(2, 3), batch=True),
    of(
        "Gaussian random walk",
        lambda x: dist.GaussianRandomWalk(0.5, 6).log_prob(x),
        f(2, 6),
        batch=True,
    ),
]
