from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax

from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.views import expand
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(loop_invariant, expand)

X = np.arange(12, dtype=np.float32).reshape(3, 4)
ROW = X[:1]


def causal(x: Array, row: Array) -> Array:
    """Expand a row for a comparison whose result is broadcast again."""
    return jnp.where(jnp.broadcast_to(row > 1, x.shape), x, -1.0)


def read_twice(x: Array, row: Array) -> Array:
    wide = lax.optimization_barrier(jnp.broadcast_to(row, x.shape))
    result: Array = x * wide + wide
    return result


@pytest.mark.parametrize("specs", [[("B", 4), (1, 4)], [(3, 4), (1, 4)]])
@pytest.mark.parametrize("function", [causal, read_twice])
def test_fires(function: Any, specs: Any) -> None:
    model = assert_agrees(function, X, ROW, specs=specs)
    assert operator_counts(model)["Expand"] == 0


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(read_twice), X, ROW)
    assert operator_counts(model)["Expand"] == 0


def gives_the_shape(x: Array, row: Array) -> Array:
    return jnp.broadcast_to(row, x.shape) * row


def is_a_result(x: Array, row: Array) -> Array:
    return jnp.broadcast_to(row, x.shape)


def is_concatenated(x: Array, row: Array) -> Array:
    return jnp.concatenate([x, jnp.broadcast_to(row, x.shape)])


@pytest.mark.parametrize("function", [gives_the_shape, is_a_result, is_concatenated])
def test_holds_back(function: Any) -> None:
    model = assert_agrees(function, X, ROW)
    assert operator_counts(model)["Expand"] == 1
