"""Roots, minima and least squares of Optimistix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optimistix as optx
from jax import Array

from tests.coverage.example import f
from tests.zoo.model import Model, of

START = f(2, low=0.5, high=1.5)


def _solved(name: str, find: Callable[..., Any], field: Callable[..., Any], solver: Any) -> Model:
    return of(name, lambda y0: find(field, solver, y0).value, START)


def _root(y: Array, args: Any) -> Array:
    return y - jnp.cos(y) * 0.5


def _bowl(y: Array, args: Any) -> Array:
    return jnp.sum((y - 0.3) ** 2) + 0.1 * jnp.sum(y**4)


def _residuals(y: Array, args: Any) -> Array:
    return jnp.stack([10 * (y[1] - y[0] ** 2), 1 - y[0]])


def _bisected(target: Array) -> Any:
    solver: Any = optx.Bisection(1e-5, 1e-5)
    options = {"lower": 0.0, "upper": 3.0}
    return optx.root_find(
        lambda y, args: y**3 - args, solver, jnp.ones(()), target, options=options
    ).value


MODELS = [
    _solved("Newton", optx.root_find, _root, optx.Newton(1e-5, 1e-5)),
    _solved("Chord", optx.root_find, _root, optx.Chord(1e-5, 1e-5)),
    _solved("Dogleg", optx.root_find, _root, optx.Dogleg(1e-5, 1e-5)),
    of("bisection", _bisected, f(low=1.0, high=8.0)),
    _solved(
        "fixed point",
        optx.fixed_point,
        lambda y, args: jnp.cos(y) * 0.5,
        optx.FixedPointIteration(1e-5, 1e-5),
    ),
    _solved("BFGS", optx.minimise, _bowl, optx.BFGS(1e-5, 1e-5)),
    _solved("Nelder-Mead", optx.minimise, _bowl, optx.NelderMead(1e-4, 1e-4)),
    _solved("nonlinear conjugate gradients", optx.minimise, _bowl, optx.NonlinearCG(1e-4, 1e-4)),
    _solved(
        "Levenberg-Marquardt", optx.least_squares, _residuals, optx.LevenbergMarquardt(1e-4, 1e-4)
    ),
    _solved("Gauss-Newton", optx.least_squares, _residuals, optx.GaussNewton(1e-4, 1e-4)),
]
