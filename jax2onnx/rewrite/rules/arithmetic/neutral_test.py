from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jax2onnx.rewrite.rules.arithmetic import neutral
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.views import expand
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(neutral, loop_invariant, expand)

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


@pytest.mark.parametrize("specs", [[("B", 4)], [(3, 4)]])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: jnp.sin(x) + 0,
        lambda x: 0 + jnp.sin(x),
        lambda x: jnp.sin(x) - 0,
        lambda x: jnp.sin(x) * 1,
        lambda x: jnp.sin(x) / 1,
        lambda x: jnp.sin(x) * np.ones(4, np.float32),
        lambda x: jnp.sin(x) - jnp.zeros((x.shape[0], 1)),
    ],
)
def test_fires(function: Any, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs)
    assert operators(model) == ["Sin"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(lambda x: jnp.sin(x) + 0), X)
    counts = operator_counts(model)
    assert counts["Sin"] == 1
    assert counts["Add"] == (place.__name__ == "in_loop")  # The loop has a counter.


@pytest.mark.parametrize(
    ("function", "operator"),
    [
        (lambda x: 0 - x, "Sub"),
        (lambda x: 1 / x, "Div"),
        (lambda x: x + 1, "Add"),
        (lambda x: x * np.arange(4, dtype=np.float32), "Mul"),
        (lambda x: x[0] + np.zeros((3, 4), np.float32), "Add"),
    ],
)
def test_holds_back(function: Any, operator: str) -> None:
    model = assert_agrees(function, X)
    assert operator in operators(model)


def test_holds_back_for_parameters() -> None:
    class Shift(eqx.Module):
        shift: Array

        def __call__(self, x: Array) -> Array:
            return x + self.shift

    model = assert_agrees(Shift(jnp.zeros(4)), X)
    assert operators(model) == ["Add"]


def test_a_mask_that_hides_nothing_is_removed() -> None:
    def masked(x: Array, mask: Array) -> Array:
        return jnp.where(jnp.ones((4, 2, 3), bool) & mask, x, 0)

    x = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    model = assert_agrees(masked, x, np.asarray([True, False, True]))
    assert operators(model) == ["Where"]
