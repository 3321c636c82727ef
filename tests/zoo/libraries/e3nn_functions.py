"""Equivariant functions of e3nn-jax."""

from __future__ import annotations

from typing import Any

import e3nn_jax as e3nn
from jax import Array

from tests.coverage.example import f
from tests.zoo.model import of


def _harmonics(x: Array) -> Any:
    return e3nn.spherical_harmonics("0e + 1o + 2e", x, normalize=True).array


def _product(x: Array, y: Array) -> Any:
    first, second = e3nn.IrrepsArray("2x0e + 1o", x), e3nn.IrrepsArray("0e + 1o", y)
    return e3nn.tensor_product(first, second).array


def _gate(x: Array) -> Any:
    return e3nn.gate(e3nn.IrrepsArray("3x0e + 2x1o", x)).array


def _normed(x: Array) -> Any:
    return e3nn.norm(e3nn.IrrepsArray("2x0e + 2x1o", x)).array


def _radial(x: Array) -> Any:
    return e3nn.bessel(x, 6, 2.0) * e3nn.poly_envelope(5, 2, 2.0)(x)[:, None]


MODELS = [
    of("spherical harmonics", _harmonics, f(4, 3), batch=True),
    of("tensor product", _product, f(4, 5), f(4, 4), batch=True),
    of("gate", _gate, f(4, 9), batch=True),
    of("norm", _normed, f(4, 8), batch=True),
    of("radial basis", _radial, f(5, low=0.2, high=1.8), batch=True),
    of("rotation matrices", e3nn.angles_to_matrix, f(4), f(4), f(4), batch=True),
]
