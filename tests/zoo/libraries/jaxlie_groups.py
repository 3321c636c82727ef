"""Lie groups of jaxlie."""

from __future__ import annotations

from typing import Any

import jax
import jaxlie
from jax import Array

from tests.coverage.example import f
from tests.zoo.model import of


def _moved(twist: Array, points: Array) -> Any:
    return jax.vmap(jaxlie.SE3.exp(twist).apply)(points)


def _between(a: Array, b: Array) -> Any:
    return (jaxlie.SE3.exp(a).inverse() @ jaxlie.SE3.exp(b)).log()


def _slope(a: Array) -> Any:
    return jax.grad(lambda x: (jaxlie.SE2.exp(x) @ jaxlie.SE2.exp(2 * x)).log().sum())(a)


MODELS = [
    of("points moved by SE(3)", _moved, f(6), f(5, 3)),
    of("difference in SE(3)", _between, f(6), f(6)),
    of("rotation matrix", lambda x: jaxlie.SO3.exp(x).as_matrix(), f(3)),
    of("adjoint", lambda x: jaxlie.SE3.exp(x).adjoint(), f(6)),
    of("Euler angles", lambda x: jaxlie.SO3.exp(x).as_rpy_radians(), f(3)),
    of("gradient in SE(2)", _slope, f(3)),
]
