from __future__ import annotations

from typing import Any

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array, lax

from jax2onnx.rewrite.rules.activations import elu
from jax2onnx.rewrite.rules.images import conv_bias
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.pools import max_pool
from jax2onnx.rewrite.rules.views import layout, split, stored_order, transpose
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(
    elu, conv_bias, loop_invariant, max_pool, layout, split, stored_order, transpose
)

X = np.random.default_rng(0).standard_normal((2, 8, 9, 4)).astype(np.float32)
FIRST = X.transpose(0, 3, 1, 2)


def pool(x: Array) -> Any:
    return nnx.max_pool(x, (3, 3), (2, 2), "SAME")


def dilated(x: Array) -> Any:
    return lax.reduce_window(
        x, -jnp.inf, lax.max, (1, 2, 3, 1), (1, 1, 1, 1), "VALID", window_dilation=(1, 2, 2, 1)
    )


@pytest.mark.parametrize("specs", [[("B", 8, 9, 4)], [(2, 8, 9, 4)]])
@pytest.mark.parametrize("padding", ["VALID", ((1, 0), (0, 1))])
@pytest.mark.parametrize("library", [nnx, nn])
def test_fires_with_channels_last(library: Any, padding: Any, specs: Any) -> None:
    model = assert_agrees(lambda x: library.max_pool(x, (3, 2), (2, 1), padding), X, specs=specs)
    assert operators(model) == ["Transpose", "MaxPool", "Transpose"]


def test_fires_for_images_of_any_size() -> None:
    specs, constraints = [("B", "H", "W", 4)], ["H >= 3", "W >= 3"]
    model = assert_agrees(
        lambda x: nnx.max_pool(x, (3, 3), (2, 2)), X, specs=specs, constraints=constraints
    )
    assert operators(model) == ["Transpose", "MaxPool", "Transpose"]


@pytest.mark.parametrize("dtype", [np.float16, np.float64, jnp.bfloat16])
def test_fires_for_every_float(dtype: Any) -> None:
    model = assert_agrees(pool, X.astype(dtype), double=dtype == np.float64)
    assert operator_counts(model)["MaxPool"] == 1


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (jax.vmap(eqx.nn.MaxPool2d(2, 2)), FIRST),
        (jax.vmap(eqx.nn.MaxPool1d(3, 2, padding=1)), FIRST[:, :, 0]),
        (dilated, X),
        (eqx.nn.MaxPool3d(2, 2, padding=1), FIRST),
        (jax.vmap(pool), X[:, None]),
        (pool, X[0]),
        (lambda x: pool(jax.nn.elu(x)), X),
    ],
)
def test_fires(function: Any, x: Any) -> None:
    model = assert_agrees(function, x)
    assert operator_counts(model)["MaxPool"] == 1
    assert operator_counts(model)["Slice"] == 0


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    assert operator_counts(assert_agrees(place(pool), X))["MaxPool"] == 1


def test_stands_between_convolutions_without_transposes() -> None:
    conv = nnx.Conv(4, 4, (3, 3), rngs=nnx.Rngs(0))
    model = assert_agrees(lambda x: conv(pool(conv(x))), X, specs=[("B", 8, 9, 4)])
    assert operators(model) == ["Transpose", "Conv", "MaxPool", "Conv", "Transpose"]


def over(window: tuple[int, ...], **params: Any) -> Any:
    def function(x: Array) -> Any:
        return lax.reduce_window(x, -jnp.inf, lax.max, window, (1,) * 4, "VALID", **params)

    return function


@pytest.mark.parametrize(
    "function",
    [
        over((2, 2, 2, 2)),
        over((1, 2, 2, 1), base_dilation=(1, 2, 2, 1)),
        lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1,) * 4, [(0, 2)] * 4),
        lambda x: lax.reduce_window(x, jnp.inf, lax.min, (1, 2, 2, 1), (1,) * 4, "VALID"),
        lambda x: pool(x.astype(int)),
    ],
)
def test_holds_back(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X))["MaxPool"] == 0


def test_holds_back_beside_three_axes() -> None:
    model = assert_agrees(jax.vmap(pool), np.stack([X, 2 * X, 3 * X]))
    assert operator_counts(model)["MaxPool"] == 0
