"""Convolutions of every layout, stride, padding and dilation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.testing import assert_agrees, operators

_RNG = np.random.default_rng(0)
X = _RNG.standard_normal((2, 9, 8, 4), dtype=np.float32)
W = _RNG.standard_normal((3, 2, 4, 6), dtype=np.float32)
NHWC = ("NHWC", "HWIO", "NHWC")


@pytest.mark.parametrize("padding", [[(0, 0), (0, 0)], [(1, 1), (0, 2)], [(2, 0), (-1, 3)]])
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
@pytest.mark.parametrize("dilations", [((1, 1), (1, 1)), ((2, 1), (1, 2))])
def test_strides_padding_and_dilations(padding: Any, strides: Any, dilations: Any) -> None:
    def fn(x: jax.Array, w: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            x, w, strides, padding, dilations[0], dilations[1], dimension_numbers=NHWC
        )

    assert_agrees(fn, X, W, atol=1e-4, specs=[("B", 9, 8, 4), W])


def test_groups() -> None:
    def fn(x: jax.Array, w: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            x, w, (1, 1), "SAME", dimension_numbers=NHWC, feature_group_count=2
        )

    assert_agrees(fn, X, W[:, :, :2], atol=1e-4)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "uint64", "float64", "complex64"])
@pytest.mark.parametrize("groups", [{}, {"feature_group_count": 2}, {"batch_group_count": 2}])
def test_types(dtype: str, groups: Any) -> None:
    x, w = (X * 40).astype(dtype), (W * 40).astype(dtype)
    w = w[:, :, :2] if "feature_group_count" in groups else w

    def fn(x: jax.Array, w: jax.Array) -> jax.Array:
        padding = [(2, -1), (0, 1)]
        return lax.conv_general_dilated(
            x, w, (1, 2), padding, (1, 2), (2, 1), dimension_numbers=NHWC, **groups
        )

    assert_agrees(fn, x, w, double=dtype[-2:] == "64", rtol=1e-5, atol=1e-2)


def test_sums_of_another_type() -> None:
    def fn(x: jax.Array, w: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            x, w, (1, 1), "SAME", dimension_numbers=NHWC, preferred_element_type=np.int32
        )

    assert_agrees(fn, (X * 40).astype(np.int8), (W * 40).astype(np.int8), rtol=0, atol=0)


@pytest.mark.parametrize("rank", [0, 1, 3, 4])
def test_ranks(rank: int) -> None:
    x, w = X.reshape(2, 3, *(12, 4, 2, 1)[:rank], -1), W[0].reshape(2, 3, *(2, 1, 2, 1)[:rank], -1)
    x, w = x[..., 0], w[..., 0]
    assert_agrees(lambda x, w: lax.conv(x, w, (1,) * rank, "SAME"), x, w)


@pytest.mark.parametrize(
    ("x", "w"),
    [
        ((0, 3, 4), (2, 3, 2)),
        ((2, 3, 4), (2, 3, 5)),
        ((2, 0, 4), (2, 0, 2)),
        ((2, 3, 4), (0, 3, 2)),
    ],
    ids=["batch", "window", "features", "results"],
)
def test_of_nothing(x: Any, w: Any) -> None:
    arrays = np.ones(x, np.float32), np.ones(w, np.float32)
    assert_agrees(lambda x, w: lax.conv(x, w, (1,), "VALID"), *arrays)


def test_a_symbolic_length() -> None:
    def fn(x: jax.Array, w: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(x, w, (2,), "SAME", dimension_numbers=("NWC", "WIO", "NWC"))

    assert_agrees(fn, X[0], W[0], atol=1e-4, specs=[("B", "L", 4), W[0]])


def test_layers_in_nhwc_have_no_permutation_between_them() -> None:
    square = _RNG.standard_normal((3, 3, 4, 4), dtype=np.float32)

    def fn(x: jax.Array) -> jax.Array:
        w = jnp.asarray(square)
        y = lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=NHWC)
        return lax.conv_general_dilated(y, w, (1, 1), "SAME", dimension_numbers=NHWC)

    model = assert_agrees(fn, X, atol=1e-3)
    assert operators(model) == ["Transpose", "Conv", "Conv", "Transpose"]
