from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jax2onnx.rewrite.rules.indexing import gather
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.views import cut_first, split, transpose, view
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(gather, loop_invariant, cut_first, split, transpose, view)

B, T, H, D = 2, 5, 4, 6
X = np.random.default_rng(0).standard_normal((B, T, 3 * H * D), np.float32)


def unpacked(x: Array) -> Array:
    q, k, v = x.reshape(*x.shape[:2], 3, -1).transpose(2, 0, 1, 3)
    return jnp.tanh(q) * k + v


def by_index(x: Array) -> Array:
    parts = x.reshape(*x.shape[:2], 3, -1)
    return jnp.tanh(parts[:, :, 0]) * parts[:, :, 2] + parts[:, :, -2]


def in_two(x: Array) -> Array:
    one, other = x.reshape(*x.shape[:2], 2, -1).transpose(2, 0, 1, 3)
    return one * jnp.sin(other)


@pytest.mark.parametrize("specs", [None, [("B", T, 3 * H * D)], [("B", "T", 3 * H * D)]])
@pytest.mark.parametrize("function", [unpacked, by_index, in_two])
def test_fires(function: Any, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs)
    assert operators(model)[0] == "Split"
    counts = operator_counts(model)
    assert (counts["Reshape"], counts["Transpose"], counts["Gather"]) == (0, 0, 0)


def test_heads_of_each_part() -> None:
    def function(x: Array) -> tuple[Array, ...]:
        return tuple(x.reshape(B, T, 3, H, D).transpose(2, 0, 3, 1, 4))

    model = assert_agrees(function, X)
    assert operators(model)[0] == "Split"
    assert operator_counts(model)["Transpose"] == 3


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    assert operators(assert_agrees(place(by_index), X)).count("Gather") == 0


def inner(x: Array) -> Array:
    """Cut the factor that varies faster than the heads."""
    parts = x.reshape(B, T, H, 3, D)
    return parts[..., 0, :] * parts[..., 1, :] + parts[..., 2, :]


def read_twice(x: Array) -> tuple[Array, Array]:
    parts = x.reshape(B, T, 3, H * D)
    return parts[:, :, 0] * parts[:, :, 1] + parts[:, :, 2], jnp.sin(parts)


def one_is_left_out(x: Array) -> Array:
    parts = jnp.sin(x).reshape(B, T, 3, H * D)
    return parts[:, :, 0] * parts[:, :, 2]


def two_of_three(x: Array) -> Array:
    parts = jnp.sin(x).reshape(B, T, 3, H * D)
    return parts[:, :, 0] * parts[:, :, 1]


def not_viewed(x: Array) -> Array:
    one, other = jnp.split(x.reshape(B * T, 3 * H * D), 2, axis=-1)
    return jnp.tanh(one) * other


@pytest.mark.parametrize("function", [inner, read_twice, one_is_left_out, two_of_three, not_viewed])
def test_holds_back(function: Any) -> None:
    model = assert_agrees(function, X)
    assert "Reshape" in operators(model)[:2]
