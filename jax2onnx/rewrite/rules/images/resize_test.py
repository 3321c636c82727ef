from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jax2onnx.rewrite.rules.activations import relu
from jax2onnx.rewrite.rules.arithmetic import known_choice
from jax2onnx.rewrite.rules.images import conv_bias, resize
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.views import layout, stored_order, transpose
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(
    relu, known_choice, conv_bias, resize, loop_invariant, layout, stored_order, transpose
)

X = np.random.default_rng(0).standard_normal((2, 3, 5, 7)).astype(np.float32)


def first(x: Any, height: int = 10, width: int = 21) -> Any:
    return jax.vmap(lambda y: jax.image.resize(y, (3, height, width), "nearest"))(x)


def last(x: Any) -> Any:
    return jax.vmap(lambda y: jax.image.resize(y, (10, 21, y.shape[2]), "nearest"))(x)


@pytest.mark.parametrize("specs", [[("B", 3, 5, 7)], [(2, 3, 5, 7)]])
def test_fires_with_channels_first(specs: Any) -> None:
    assert operators(assert_agrees(first, X, specs=specs)) == ["Resize"]


@pytest.mark.parametrize("factor", [2, 3, 7, 10])
def test_every_pixel_is_correct(factor: int) -> None:
    x = np.arange(99 * 2, dtype=np.float32).reshape(1, 1, 99, 2)
    model = assert_agrees(
        lambda x: jax.image.resize(x, (1, 1, 99 * factor, 2 * factor), "nearest"),
        x,
        rtol=0,
        atol=0,
    )
    assert operators(model) == ["Resize"]


def test_fires_with_channels_last_if_readable_is_preferred() -> None:
    x = X.transpose(0, 2, 3, 1)
    model = assert_agrees(last, x, prefer="readable")
    assert operators(model) == ["Transpose", "Resize", "Transpose"]
    assert operators(assert_agrees(last, x)) == ["Gather", "Gather"]


def test_stands_between_convolutions_without_transposes() -> None:
    conv = nnx.Conv(3, 3, (3, 3), rngs=nnx.Rngs(0))
    model = assert_agrees(lambda x: conv(last(nnx.relu(conv(x)))), X.transpose(0, 2, 3, 1))
    assert operators(model) == ["Transpose", "Conv", "Relu", "Resize", "Conv", "Transpose"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    assert operator_counts(assert_agrees(place(first), X))["Resize"] == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda x: first(x, 8, 21),
        lambda x: first(x, 5, 14),
        lambda x: jax.image.resize(x, (2, 6, 5, 14), "nearest"),
        lambda x: jax.image.resize(x, (2, 3, 10, 14), "linear"),
        lambda x: x[:, :, np.array([0, 1] * 5)][:, :, :, np.arange(14) // 2],
        lambda x: first(x.astype(jnp.int32)),
    ],
)
def test_holds_back(function: Any) -> None:
    model = assert_agrees(function, X, prefer="readable")
    assert operator_counts(model)["Resize"] == 0


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(first, X.astype(np.float64), double=True, rtol=0, atol=0)
    assert operator_counts(model)["Resize"] == 0
