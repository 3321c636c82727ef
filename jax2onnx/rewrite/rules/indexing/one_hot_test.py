from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax2onnx.rewrite.rules.indexing import one_hot
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(one_hot, loop_invariant)

X = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
CLASSES = np.array([[0, 1, 2], [7, 8, 255]], np.uint8)


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.float16])
@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("specs", [[("B", 4, 5)], [(3, 4, 5)]])
def test_fires_for_positions(specs: Any, axis: int, dtype: Any) -> None:
    def function(x: Any) -> Any:
        return jax.nn.one_hot(jnp.argmax(x, axis=-1), 5, axis=axis, dtype=dtype)

    model = assert_agrees(function, X, specs=specs, prefer="readable")
    assert operator_counts(model)["OneHot"] == 1
    assert operator_counts(assert_agrees(function, X, specs=specs))["OneHot"] == 0


def test_fires_for_unsigned_integers_with_values_that_are_no_class() -> None:
    model = assert_agrees(lambda i: jax.nn.one_hot(i, 8), CLASSES, prefer="readable")
    assert operator_counts(model)["OneHot"] == 1


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    def function(x: Any) -> Any:
        return jax.nn.one_hot(jnp.argmin(x, axis=-1), 5)

    assert operator_counts(assert_agrees(place(function), X, prefer="readable"))["OneHot"] == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda i: jax.nn.one_hot(i, 8),
        lambda i: jax.nn.one_hot(i.astype(np.uint8), 8, dtype=bool),
        lambda i: (i[..., None] == np.array([1, 0, 2], np.int32)).astype(np.float32),
    ],
)
def test_holds_back(function: Any) -> None:
    indices = np.array([[-1, 0, 1], [-8, 7, 9]], np.int32)
    model = assert_agrees(function, indices, prefer="readable")
    assert operator_counts(model)["OneHot"] == 0
