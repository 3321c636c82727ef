"""Steps of the samplers of BlackJAX, from a fixed key."""

from __future__ import annotations

from typing import Any

import blackjax
import jax
import jax.numpy as jnp
from jax import Array

from tests.coverage.example import f
from tests.zoo.model import Model, of


def _density(x: Array) -> Array:
    return -0.5 * jnp.sum(x**2) - 0.1 * jnp.sum(x**4)


def _step(name: str, make: Any, steps: int = 3) -> Model:
    """Return some steps of a sampler from a given position."""

    def fn(position: Array) -> Any:
        sampler = make()
        state = sampler.init(position)
        for k in range(steps):
            state, _ = sampler.step(jax.random.key(k), state)
        return state.position

    return of(name, fn, f(3))


INVERSE = jnp.ones(3)

MODELS = [
    _step("HMC", lambda: blackjax.hmc(_density, 0.1, INVERSE, 4)),
    _step("MALA", lambda: blackjax.mala(_density, 0.1)),
    _step(
        "random walk",
        lambda: blackjax.rmh(_density, lambda key, x: x + 0.1 * jax.random.normal(key, x.shape)),
    ),
    _step("NUTS", lambda: blackjax.nuts(_density, 0.3, INVERSE), steps=1),
]
