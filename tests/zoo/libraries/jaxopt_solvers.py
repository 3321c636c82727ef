"""Optimisers and projections of JAXopt."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import jaxopt
from jax import Array

from tests.coverage.example import f, i
from tests.zoo.model import of

DATA = (f(8, 3), f(8))


def _loss(weights: Array, x: Array, y: Array) -> Array:
    return jnp.mean((x @ weights - y) ** 2) + 0.1 * jnp.sum(weights**2)


def _descent(x: Array, y: Array) -> Any:
    solver = jaxopt.GradientDescent(_loss, maxiter=50, stepsize=0.1)
    return solver.run(jnp.zeros(3), x, y).params


def _lasso(x: Array, y: Array) -> Any:
    solver = jaxopt.ProximalGradient(
        lambda w, x, y: jnp.mean((x @ w - y) ** 2), jaxopt.prox.prox_lasso, maxiter=50, stepsize=0.1
    )
    return solver.run(jnp.zeros(3), 0.05, x, y).params


def _fixed_point(x: Array) -> Any:
    return jaxopt.FixedPointIteration(lambda z, a: jnp.cos(z) * 0.5 + 0.1 * a).run(x, x).params


def _bisected(target: Array) -> Any:
    solver = jaxopt.Bisection(lambda z, a: z**3 - a, 0.0, 3.0, check_bracket=False)
    return solver.run(None, target).params


MODELS = [
    of("ridge by gradient descent", _descent, *DATA, tolerance=1e-3),
    of("lasso by proximal gradients", _lasso, *DATA, tolerance=1e-3),
    of("fixed point", _fixed_point, f(3)),
    of("bisection", _bisected, f(low=1.0, high=8.0)),
    of("projection on the simplex", jaxopt.projection.projection_simplex, f(6)),
    of("projection on a box", lambda x: jaxopt.projection.projection_box(x, (-0.5, 0.5)), f(6)),
    of("prox of the group lasso", jaxopt.prox.prox_group_lasso, f(6)),
    of("binary logistic loss", jaxopt.loss.binary_logistic_loss, i(high=2), f()),
]
