"""Gaussian processes of tinygp."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import tinygp
from jax import Array

from tests.coverage.example import f
from tests.zoo.model import of

KERNEL = 1.5 * tinygp.kernels.ExpSquared(0.7)


def _likelihood(x: Array, y: Array) -> Any:
    return tinygp.GaussianProcess(KERNEL, x, diag=0.1).log_probability(y)


def _prediction(x: Array, y: Array, new: Array) -> Any:
    conditioned = tinygp.GaussianProcess(KERNEL, x, diag=0.1).condition(y, new).gp
    return conditioned.loc, conditioned.variance


def _gradient(scale: Array, x: Array, y: Array) -> Any:
    def loss(s: Array) -> Array:
        kernel = tinygp.kernels.Matern32(s)
        return -tinygp.GaussianProcess(kernel, x, diag=0.1).log_probability(y)

    return jax.value_and_grad(loss)(scale)


def _quasiseparable(x: Array, y: Array) -> Any:
    kernel = tinygp.kernels.quasisep.Matern32(scale=0.8)
    return tinygp.GaussianProcess(kernel, jnp.sort(x), diag=0.1).log_probability(y)


MODELS = [
    of("likelihood", _likelihood, f(7), f(7)),
    of("prediction", _prediction, f(7), f(7), f(4)),
    of("gradient of a length", _gradient, f(low=0.5, high=1.5), f(7), f(7)),
    of("quasiseparable kernel", _quasiseparable, f(7), f(7)),
    of(
        "periodic kernel", lambda x: tinygp.kernels.ExpSineSquared(scale=1.0, gamma=0.5)(x, x), f(5)
    ),
]
