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


@pytest.mark.parametrize(
    "function",
    [
        jax.nn.hard_swish,
        nnx.hard_swish,
        nn.hard_swish,
        lambda x: x * (jnp.clip(x + 3, 0, 6) / 6),
        lambda x: (3 + x).clip(0, 6) * x * np.float32(1 / 6),
    ],
)
def test_fires(function: Any) -> None:
    model = assert_agrees(function, X, specs=[("B", 8)])
    assert operators(model) == ["HardSwish"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    assert operator_counts(assert_agrees(place(jax.nn.hard_swish), X))["HardSwish"] == 1


@pytest.mark.parametrize(
    "function",
    [jax.nn.hard_sigmoid, jax.nn.relu6, jax.nn.silu, lambda x: x * jnp.clip(x + 2, 0, 6) / 6],
)
def test_holds_back(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X))["HardSwish"] == 0


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(jax.nn.hard_swish, X.astype(np.float64), double=True, rtol=1e-12)
    assert operator_counts(model)["HardSwish"] == 0
