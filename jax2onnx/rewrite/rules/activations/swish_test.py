from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jax2onnx.rewrite.rules.activations import swish
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(swish, loop_invariant)

X = np.linspace(-5, 5, 24, dtype=np.float32).reshape(3, 8)


@pytest.mark.parametrize("specs", [[("B", 8)], [(3, 8)]])
@pytest.mark.parametrize(
    "function",
    [jax.nn.silu, nnx.swish, nn.silu, jax.vmap(jax.nn.silu), lambda x: jax.nn.sigmoid(x) * x],
)
def test_fires(function: Any, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs, prefer="readable", opset=24)
    assert operators(model) == ["Swish"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(jax.nn.silu), X, prefer="readable", opset=24)
    assert operator_counts(model)["Swish"] == 1


def test_special_values() -> None:
    special = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e30, -1e30, -80], np.float32)
    assert operators(assert_agrees(jax.nn.silu, special, prefer="readable", opset=24)) == ["Swish"]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float16, 1e-3), (jnp.bfloat16, 2e-2)])
def test_half_precision(dtype: Any, tolerance: float) -> None:
    model = assert_agrees(
        jax.nn.silu, X.astype(dtype), rtol=tolerance, atol=tolerance, prefer="readable", opset=24
    )
    assert operator_counts(model)["Swish"] == 1


@pytest.mark.parametrize(
    "function",
    [lambda x: x * jax.nn.sigmoid(1.702 * x), jax.nn.sigmoid, jax.nn.glu],
)
def test_holds_back(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X, prefer="readable", opset=24))["Swish"] == 0


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(
        jax.nn.silu,
        X.astype(np.float64),
        double=True,
        rtol=1e-12,
        atol=0,
        prefer="readable",
        opset=24,
    )
    assert operator_counts(model)["Swish"] == 0


@pytest.mark.parametrize("opset", [23, 25, 28])
def test_holds_back_where_the_runtime_has_no_kernel(opset: int) -> None:
    model = assert_agrees(jax.nn.silu, X, prefer="readable", opset=opset)
    assert operator_counts(model)["Swish"] == 0


def test_holds_back_where_speed_is_preferred() -> None:
    assert operator_counts(assert_agrees(jax.nn.silu, X, opset=24))["Swish"] == 0
