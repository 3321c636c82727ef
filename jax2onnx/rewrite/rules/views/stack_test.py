from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.views import stack
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(loop_invariant, stack)

X = np.random.default_rng(0).standard_normal((3, 4, 5), np.float32)


def halves(x: Array) -> Array:
    return jnp.stack([jnp.sin(x), x], axis=-2).reshape(*x.shape[:2], -1)


def of_rows(x: Array) -> Array:
    return jnp.stack([jnp.sin(x), x, x], axis=1).reshape(x.shape[0], -1, x.shape[2])


def beside_another_axis(x: Array) -> Array:
    return jnp.stack([jnp.sin(x), x], axis=-2).reshape(x.shape[0], 1, x.shape[1], -1)


@pytest.mark.parametrize("specs", [None, [("B", 4, 5)], [("B", "T", 5)]])
@pytest.mark.parametrize("function", [halves, of_rows, beside_another_axis])
def test_fires(function: Any, specs: Any) -> None:
    found = operators(assert_agrees(function, X, specs=specs))
    assert [o for o in found if o not in ("Reshape", "Unsqueeze")] == ["Sin", "Concat"]
    assert ("Unsqueeze" in found) == (function is beside_another_axis)
    assert "Reshape" not in found


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    assert operator_counts(assert_agrees(place(halves), X))["Reshape"] == 0


def in_turn(x: Array) -> Array:
    return jnp.stack([jnp.sin(x), x], axis=-1).reshape(*x.shape[:2], -1)


def merged_with_the_axis_in_front(x: Array) -> Array:
    return jnp.stack([jnp.sin(x), x], axis=-2).reshape(x.shape[0], -1, x.shape[2])


def read_twice(x: Array) -> tuple[Array, Array]:
    both = jnp.stack([jnp.sin(x), x], axis=-2)
    return both.reshape(*x.shape[:2], -1), both + 1


@pytest.mark.parametrize("function", [in_turn, merged_with_the_axis_in_front, read_twice])
def test_holds_back(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X))["Reshape"] == 1
