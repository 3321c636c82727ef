"""Integrals with quadax."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import quadax
from jax import Array

from tests.coverage.example import f
from tests.zoo.model import Model, of


def _integral(name: str, method: Any) -> Model:
    def fn(scale: Array) -> Any:
        bounds = jnp.array([0.0, 1.0])
        return method(lambda x: jnp.exp(-scale * x) * jnp.cos(3 * x), bounds)[0]

    return of(name, fn, f(low=0.5, high=2.0))


MODELS = [
    _integral("Gauss-Kronrod", quadax.quadgk),
    _integral("Clenshaw-Curtis", quadax.quadcc),
    _integral("tanh-sinh", quadax.quadts),
    _integral("Romberg", quadax.romberg),
    of("Simpson", lambda y: quadax.simpson(y, dx=0.1), f(3, 9)),
    of("cumulative trapezoids", lambda y: quadax.cumulative_trapezoid(y, dx=0.1), f(3, 9)),
]
