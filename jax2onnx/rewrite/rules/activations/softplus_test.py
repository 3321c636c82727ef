from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jax2onnx.rewrite.rules.activations import relu, softplus
from jax2onnx.rewrite.rules.arithmetic import neutral
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(relu, softplus, neutral, loop_invariant)

X = np.linspace(-5, 5, 24, dtype=np.float32).reshape(3, 8)


@pytest.mark.parametrize("specs", [[("B", 8)], [(3, 8)]])
@pytest.mark.parametrize(
    "function",
    [
        jax.nn.softplus,
        nnx.softplus,
        nn.softplus,
        jax.vmap(jax.nn.softplus),
        lambda x: jnp.logaddexp(x, 0.0),
    ],
)
def test_fires(function: Any, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs, prefer="readable")
    assert operators(model) == ["Softplus"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(jax.nn.softplus), X, prefer="readable")
    assert operator_counts(model)["Softplus"] == 1


def test_special_values() -> None:
    special = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e30, -1e30, -80], np.float32)
    assert operators(assert_agrees(jax.nn.softplus, special, prefer="readable")) == ["Softplus"]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float16, 1e-3), (jnp.bfloat16, 2e-2)])
def test_half_precision(dtype: Any, tolerance: float) -> None:
    model = assert_agrees(
        jax.nn.softplus, X.astype(dtype), rtol=tolerance, atol=tolerance, prefer="readable"
    )
    assert operator_counts(model)["Softplus"] == 1


@pytest.mark.parametrize(
    "function",
    [jnp.log1p, lambda x: jnp.logaddexp(x, 1.0)],
)
def test_holds_back(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X, prefer="readable"))["Softplus"] == 0


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(
        jax.nn.softplus, X.astype(np.float64), double=True, rtol=1e-12, atol=0, prefer="readable"
    )
    assert operator_counts(model)["Softplus"] == 0


def test_holds_back_where_speed_is_preferred() -> None:
    assert operator_counts(assert_agrees(jax.nn.softplus, X))["Softplus"] == 0
