from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jax2onnx.rewrite.rules.activations import relu
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(relu)

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


@pytest.mark.parametrize(
    "function",
    [jax.nn.relu, nnx.relu, nn.relu, lambda x: jnp.maximum(x, 0), lambda x: jnp.maximum(0, x)],
)
def test_fires(function: Any) -> None:
    model = assert_agrees(function, X, specs=[("B", 4)])
    assert operators(model) == ["Relu"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    assert operator_counts(assert_agrees(place(jax.nn.relu), X))["Relu"] == 1


def test_nan_stays_nan() -> None:
    x = np.array([np.nan, -np.inf, np.inf, -0.0], np.float32)
    assert_agrees(jax.nn.relu, x)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jnp.maximum(x, 0.1),
        lambda x: jnp.maximum(x[0], np.zeros((3, 4), np.float32)),
        lambda x: jnp.maximum(x.astype(jnp.int32), 0),
    ],
)
def test_holds_back(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X))["Relu"] == 0
