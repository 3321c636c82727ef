"""Spherical harmonic transforms of s2fft, in 64 bits."""

from __future__ import annotations

from typing import Any

import s2fft
from jax import Array

from tests.coverage.example import c, f
from tests.zoo.model import of

L = 6


def _forward(x: Array) -> Any:
    return s2fft.forward_jax(x, L, reality=True)


def _inverse(flm: Array) -> Any:
    return s2fft.inverse_jax(flm, L)


def _round_trip(x: Array) -> Any:
    return s2fft.inverse_jax(s2fft.forward_jax(x, L, sampling="dh", reality=True), L, sampling="dh")


def _spin(flm: Array) -> Any:
    return s2fft.inverse_jax(flm, L, spin=2)


MODELS = [
    of(
        "forward",
        _forward,
        f(L, 2 * L - 1),
        double=True,
        failure="the recursion divides by cos(pi / 2), which is 6e-17 in JAX, "
        "and 0 in the 64-bit Cos of ONNX Runtime",
    ),
    of("inverse", _inverse, c(L, 2 * L - 1), double=True),
    of("there and back", _round_trip, f(2 * L, 2 * L - 1), double=True),
    of("inverse of spin 2", _spin, c(L, 2 * L - 1), double=True),
]
