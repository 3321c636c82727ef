from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array

from jax2onnx.rewrite.rules.activations import celu, elu, relu
from jax2onnx.rewrite.rules.arithmetic import neutral
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(celu, elu, relu, neutral, loop_invariant)

X = np.linspace(-5, 5, 24, dtype=np.float32).reshape(3, 8)


def two_alphas(x: Array) -> Array:
    return jnp.maximum(x, 0.0) + 2.0 * jnp.expm1(jnp.minimum(x, 0.0) / 3.0)


@pytest.mark.parametrize("specs", [[("B", 8)], [(3, 8)]])
@pytest.mark.parametrize(
    "function",
    [jax.nn.celu, nnx.celu, nn.celu, jax.vmap(jax.nn.celu), lambda x: jax.nn.celu(x, 0.5)],
)
def test_fires(function: Any, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs)
    assert operators(model) == ["Celu"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(jax.nn.celu), X)
    assert operator_counts(model)["Celu"] == 1


def test_special_values() -> None:
    special = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e30, -1e30, -80], np.float32)
    assert operators(assert_agrees(jax.nn.celu, special)) == ["Celu"]


@pytest.mark.parametrize(
    "function",
    [jax.nn.elu, two_alphas],
)
def test_holds_back(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X))["Celu"] == 0


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(jax.nn.celu, X.astype(np.float64), double=True, rtol=1e-12, atol=0)
    assert operator_counts(model)["Celu"] == 0


def test_holds_back_for_halves() -> None:
    model = assert_agrees(jax.nn.celu, X.astype(np.float16), rtol=1e-2, atol=1e-2)
    assert operator_counts(model)["Celu"] == 0
