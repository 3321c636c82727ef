"""Interpolation with interpax."""

from __future__ import annotations

from typing import Any

import interpax
import jax.numpy as jnp
from jax import Array

from tests.coverage.example import f
from tests.zoo.model import of

KNOTS = jnp.linspace(0.0, 1.0, 7)
WHERE, VALUES = f(5, low=0.0, high=1.0), f(7)


def _cubic(x: Array, values: Array) -> Any:
    return interpax.interp1d(x, KNOTS, values, method="cubic2")


def _plane(x: Array, y: Array, values: Array) -> Any:
    return interpax.interp2d(x, y, KNOTS, KNOTS, values, method="linear")


def _monotonic(x: Array, values: Array) -> Any:
    return interpax.PchipInterpolator(KNOTS, values, check=False)(x)


MODELS = [
    of("cubic in one dimension", _cubic, WHERE, VALUES),
    of("linear in two dimensions", _plane, WHERE, WHERE, f(7, 7)),
    of("cubic spline", lambda x, v: interpax.CubicSpline(KNOTS, v, check=False)(x), WHERE, VALUES),
    of("Akima", lambda x, v: interpax.Akima1DInterpolator(KNOTS, v, check=False)(x), WHERE, VALUES),
    of("monotonic", _monotonic, WHERE, VALUES),
    of("Fourier", lambda v: interpax.fft_interp1d(v, 12), f(8)),
]
