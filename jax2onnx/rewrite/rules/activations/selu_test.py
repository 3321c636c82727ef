from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array

from jax2onnx.rewrite.rules.activations import elu, selu
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(elu, selu, loop_invariant)

X = np.linspace(-5, 5, 24, dtype=np.float32).reshape(3, 8)


def other_constant(x: Array) -> Array:
    return 1.05 * jax.nn.elu(x, 1.6732632)


@pytest.mark.parametrize("specs", [[("B", 8)], [(3, 8)]])
@pytest.mark.parametrize(
    "function",
    [jax.nn.selu, nnx.selu, nn.selu, jax.vmap(jax.nn.selu)],
)
def test_fires(function: Any, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs)
    assert operators(model) == ["Selu"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(jax.nn.selu), X)
    assert operator_counts(model)["Selu"] == 1


def test_special_values() -> None:
    special = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e30, -1e30, -80], np.float32)
    assert operators(assert_agrees(jax.nn.selu, special)) == ["Selu"]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float16, 1e-3), (jnp.bfloat16, 2e-2)])
def test_half_precision(dtype: Any, tolerance: float) -> None:
    model = assert_agrees(jax.nn.selu, X.astype(dtype), rtol=tolerance, atol=tolerance)
    assert operator_counts(model)["Selu"] == 1


@pytest.mark.parametrize(
    "function",
    [jax.nn.elu, other_constant],
)
def test_holds_back(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X))["Selu"] == 0


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(jax.nn.selu, X.astype(np.float64), double=True, rtol=1e-12, atol=0)
    assert operator_counts(model)["Selu"] == 0
