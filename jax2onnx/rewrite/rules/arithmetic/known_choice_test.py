from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jax2onnx.rewrite.rules.arithmetic import known_choice, neutral, reduce_mean
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.views import expand
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(known_choice, neutral, reduce_mean, loop_invariant, expand)

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


def variance(x: Array) -> Array:
    return jnp.var(x, axis=-1)


def chosen_on_the_right(x: Array) -> Array:
    return jnp.where(np.zeros(4, bool), jnp.nan, jnp.exp(x))


@pytest.mark.parametrize("function", [variance, chosen_on_the_right])
def test_fires(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X))["Where"] == 0


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    assert operator_counts(assert_agrees(place(variance), X))["Where"] == 0


def undecided(x: Array) -> Array:
    return jnp.where(np.array([True, False, True, True]), x, -x)


def unknown(x: Array) -> Array:
    return jnp.where(x > 0, x, -x)


@pytest.mark.parametrize("function", [undecided, unknown])
def test_holds_back(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X))["Where"] == 1


def test_holds_back_where_the_other_side_gives_the_shape() -> None:
    def broadcast(x: Array, y: Array) -> Array:
        return jnp.where(np.ones(4, bool), x[0], y)

    assert_agrees(broadcast, X, X)


def test_a_choice_between_true_and_false_is_the_condition() -> None:
    def lower_half(x: Array) -> Array:
        return x * jnp.tril(jnp.ones((x.shape[0],) * 2, bool))

    x = np.arange(9, dtype=np.float32).reshape(3, 3)
    assert "Where" not in operators(assert_agrees(lower_half, x, specs=[("N", "N")]))
    either = assert_agrees(lambda x: jnp.where(x > 1, False, True), x)
    assert "Where" in operators(either)
