from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array

from jax2onnx.rewrite.rules.activations import leaky_relu, prelu
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(leaky_relu, prelu, loop_invariant)

X = np.linspace(-5, 5, 24, dtype=np.float32).reshape(3, 8)

SLOPES = np.linspace(-1, 1, 8, dtype=np.float32)


def in_channels(x: Array) -> Array:
    return jax.nn.leaky_relu(x, SLOPES.astype(x.dtype))


@pytest.mark.parametrize("specs", [[("B", 8)], [(3, 8)]])
@pytest.mark.parametrize(
    "function",
    [nnx.PReLU(param_dtype=jnp.float32), jax.vmap(in_channels)],
)
def test_fires(function: Any, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs)
    assert operators(model) == ["PRelu"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(in_channels), X)
    assert operator_counts(model)["PRelu"] == 1


def test_special_values() -> None:
    special = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e30, -1e30, -80], np.float32)
    assert operators(assert_agrees(in_channels, special)) == ["PRelu"]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float16, 1e-3), (jnp.bfloat16, 2e-2)])
def test_half_precision(dtype: Any, tolerance: float) -> None:
    model = assert_agrees(in_channels, X.astype(dtype), rtol=tolerance, atol=tolerance)
    assert operator_counts(model)["PRelu"] == 1


@pytest.mark.parametrize(
    "function",
    [jax.nn.leaky_relu, lambda x: jnp.where(x > 1, x, SLOPES * x)],
)
def test_holds_back(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X))["PRelu"] == 0


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(in_channels, X.astype(np.float64), double=True, rtol=1e-12, atol=0)
    assert operator_counts(model)["PRelu"] == 0
