from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jax2onnx.rewrite.rules.activations import softsign
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(softsign, loop_invariant)

X = np.linspace(-5, 5, 24, dtype=np.float32).reshape(3, 8)


@pytest.mark.parametrize("specs", [[("B", 8)], [(3, 8)]])
@pytest.mark.parametrize(
    "function",
    [
        jax.nn.soft_sign,
        nnx.soft_sign,
        nn.soft_sign,
        jax.vmap(jax.nn.soft_sign),
        lambda x: x / (1 + jnp.abs(x)),
    ],
)
def test_fires(function: Any, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs)
    assert operators(model) == ["Softsign"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(jax.nn.soft_sign), X)
    assert operator_counts(model)["Softsign"] == 1


def test_special_values() -> None:
    special = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e30, -1e30, -80], np.float32)
    assert operators(assert_agrees(jax.nn.soft_sign, special)) == ["Softsign"]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float16, 1e-3), (jnp.bfloat16, 2e-2)])
def test_half_precision(dtype: Any, tolerance: float) -> None:
    model = assert_agrees(jax.nn.soft_sign, X.astype(dtype), rtol=tolerance, atol=tolerance)
    assert operator_counts(model)["Softsign"] == 1


@pytest.mark.parametrize(
    "function",
    [lambda x: x / (2 + jnp.abs(x)), lambda x: (1 + jnp.abs(x)) / (x + 8)],
)
def test_holds_back(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X))["Softsign"] == 0


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(jax.nn.soft_sign, X.astype(np.float64), double=True, rtol=1e-12, atol=0)
    assert operator_counts(model)["Softsign"] == 0
