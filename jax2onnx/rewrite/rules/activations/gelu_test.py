from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array, lax

from jax2onnx.rewrite.rules.activations import clip, gelu
from jax2onnx.rewrite.rules.arithmetic import neutral
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(clip, gelu, neutral, loop_invariant)

X = np.linspace(-4, 4, 24, dtype=np.float32).reshape(3, 8)


def exact(x: Array) -> Array:
    return jax.nn.gelu(x, approximate=False)


def approximate(x: Array) -> Array:
    return jax.nn.gelu(x)


def half_of(x: Array) -> Array:
    return x * (0.5 * (1 + lax.erf(x / np.float32(np.sqrt(2)))))


def half_at_the_end(x: Array) -> Array:
    return x * (lax.erf(x * np.float32(np.sqrt(0.5))) + 1) / 2


def cube_by_hand(x: Array) -> Array:
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + 0.044715 * x * x * x)
    return 0.5 * x * (1 + jnp.tanh(inner))


def square_by_hand(x: Array) -> Array:
    return x * 0.5 * (1 + jnp.tanh(0.7978845608 * (0.044715 * (x**2 * x) + x)))


@pytest.mark.parametrize("specs", [[("B", 8)], [(3, 8)]])
@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (exact, b"none"),
        (half_of, b"none"),
        (half_at_the_end, b"none"),
        (approximate, b"tanh"),
        (cube_by_hand, b"tanh"),
        (square_by_hand, b"tanh"),
        (jax.vmap(exact), b"none"),
        (nnx.gelu, b"tanh"),
        (nn.gelu, b"tanh"),
    ],
)
def test_fires(function: Any, kind: bytes, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs)
    assert operators(model) == ["Gelu"]
    assert model.graph.node[0].attribute[0].s == kind


def test_fires_where_the_argument_is_a_product() -> None:
    model = assert_agrees(lambda x, y: exact(x * y) * y, X, X)
    assert operators(model) == ["Mul", "Gelu", "Mul"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("function", [exact, approximate])
def test_fires_inside(place: Any, function: Any) -> None:
    model = assert_agrees(place(function), X)
    assert operator_counts(model)["Gelu"] == 1


def test_half_precision() -> None:
    model = assert_agrees(exact, X.astype(np.float16), rtol=5e-3, atol=1e-3)
    assert operator_counts(model)["Gelu"] == 1


def other_constant(x: Array) -> Array:
    return 0.5 * x * (1 + lax.erf(x * 0.7))


def other_coefficient(x: Array) -> Array:
    return 0.6 * x * (1 + lax.erf(x * np.float32(np.sqrt(0.5))))


def other_argument(x: Array) -> Array:
    return 0.5 * (x + 1) * (1 + lax.erf(x * np.float32(np.sqrt(0.5))))


def constant_that_adds_axes(x: Array) -> Any:
    return np.full((1, 1, 1), 0.5, np.float32) * x * (1 + lax.erf(x * np.float32(np.sqrt(0.5))))


def sigmoid_kind(x: Array) -> Array:
    return x * jax.nn.sigmoid(1.702 * x)


@pytest.mark.parametrize(
    "function",
    [
        other_constant,
        other_coefficient,
        other_argument,
        constant_that_adds_axes,
        sigmoid_kind,
        jax.scipy.special.erfc,
    ],
)
def test_holds_back(function: Any) -> None:
    model = assert_agrees(function, X, rtol=1e-4)
    assert operator_counts(model)["Gelu"] == 0


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(exact, X.astype(np.float64), double=True, rtol=1e-6)
    assert operator_counts(model)["Gelu"] == 0
