from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax2onnx.rewrite.rules.activations import mish, relu, softplus
from jax2onnx.rewrite.rules.arithmetic import neutral
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(mish, relu, softplus, neutral, loop_invariant)

X = np.linspace(-5, 5, 24, dtype=np.float32).reshape(3, 8)


@pytest.mark.parametrize("specs", [[("B", 8)], [(3, 8)]])
@pytest.mark.parametrize(
    "function",
    [jax.nn.mish, jax.vmap(jax.nn.mish), lambda x: jnp.tanh(jax.nn.softplus(x)) * x],
)
def test_fires(function: Any, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs, prefer="readable")
    assert operators(model) == ["Mish"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(jax.nn.mish), X, prefer="readable")
    assert operator_counts(model)["Mish"] == 1


def test_special_values() -> None:
    special = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e30, -1e30, -80], np.float32)
    assert operators(assert_agrees(jax.nn.mish, special, prefer="readable")) == ["Mish"]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float16, 1e-3), (jnp.bfloat16, 2e-2)])
def test_half_precision(dtype: Any, tolerance: float) -> None:
    model = assert_agrees(
        jax.nn.mish, X.astype(dtype), rtol=tolerance, atol=tolerance, prefer="readable"
    )
    assert operator_counts(model)["Mish"] == 1


@pytest.mark.parametrize(
    "function",
    [lambda x: x * jnp.tanh(jax.nn.softplus(2 * x)), lambda x: x * jax.nn.softplus(jnp.tanh(x))],
)
def test_holds_back(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X, prefer="readable"))["Mish"] == 0


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(
        jax.nn.mish, X.astype(np.float64), double=True, rtol=1e-12, atol=0, prefer="readable"
    )
    assert operator_counts(model)["Mish"] == 0


def test_holds_back_where_speed_is_preferred() -> None:
    assert operator_counts(assert_agrees(jax.nn.mish, X))["Mish"] == 0
