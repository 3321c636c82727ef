from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jax2onnx.rewrite.rules.activations import clip, hard_sigmoid, hard_swish
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(clip, hard_sigmoid, hard_swish, loop_invariant)

X = np.linspace(-5, 5, 24, dtype=np.float32).reshape(3, 8)


@pytest.mark.parametrize("specs", [[("B", 8)], [(3, 8)]])
@pytest.mark.parametrize(
    "function",
    [
        jax.nn.hard_sigmoid,
        nnx.hard_sigmoid,
        nn.hard_sigmoid,
        jax.vmap(jax.nn.hard_sigmoid),
        lambda x: (3 + x).clip(0, 6) * np.float32(1 / 6),
    ],
)
def test_fires(function: Any, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs)
    assert operators(model) == ["HardSigmoid"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(jax.nn.hard_sigmoid), X)
    assert operator_counts(model)["HardSigmoid"] == 1


def test_special_values() -> None:
    special = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e30, -1e30, -80], np.float32)
    assert operators(assert_agrees(jax.nn.hard_sigmoid, special)) == ["HardSigmoid"]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float16, 1e-3), (jnp.bfloat16, 2e-2)])
def test_half_precision(dtype: Any, tolerance: float) -> None:
    model = assert_agrees(jax.nn.hard_sigmoid, X.astype(dtype), rtol=tolerance, atol=tolerance)
    assert operator_counts(model)["HardSigmoid"] == 1


@pytest.mark.parametrize(
    "function",
    [jax.nn.relu6, jax.nn.hard_swish, lambda x: jnp.clip(x + 2, 0, 6) / 6],
)
def test_holds_back(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X))["HardSigmoid"] == 0


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(
        jax.nn.hard_sigmoid, X.astype(np.float64), double=True, rtol=1e-12, atol=0
    )
    assert operator_counts(model)["HardSigmoid"] == 0
