"""Convolutions of every layout, stride, padding and dilation agree with JAX."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from jax2onnx.rewrite.rules.images import conv_bias
from jax2onnx.rewrite.rules.views import layout, stored_order, transpose
from jax2onnx.testing.agreement import assert_agrees, operators
from jax2onnx.testing.rewriting import agreement_with

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


@pytest.mark.parametrize("groups", [2, 4])
def test_batch_groups(groups: int) -> None:
    x, w = X.reshape(8, 3, 6, 4), W.transpose(0, 1, 3, 2).reshape(3, 1, 4, 12)

    def fn(x: jax.Array, w: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            x, w, (1, 1), "VALID", dimension_numbers=NHWC, batch_group_count=groups
        )

    assert_agrees(fn, x, w, atol=1e-4)


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


def test_accumulation_in_another_type() -> None:
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
def test_without_elements(x: Any, w: Any) -> None:
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

    model = agreement_with(stored_order)(fn, X, atol=1e-3)
    assert operators(model) == ["Transpose", "Conv", "Conv", "Transpose"]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("padding", ["SAME", "VALID", "explicit"])
@pytest.mark.parametrize(("window", "stride", "dilation"), [(4, 2, 1), (2, 3, 1), (3, 2, 2)])
def test_transposed(window: int, stride: int, dilation: int, padding: Any, rank: int) -> None:
    amounts: Any = [(1, 2), (1, 0), (0, 1)][:rank] if padding == "explicit" else padding
    x = _RNG.standard_normal((2, *(5, 4, 4)[:rank], 3), dtype=np.float32)
    w = _RNG.standard_normal((*(window,) * rank, 3, 5), dtype=np.float32)

    def fn(x: jax.Array, w: jax.Array) -> jax.Array:
        return lax.conv_transpose(x, w, (stride,) * rank, amounts, (dilation,) * rank)

    specs = [("B", *("H", "W", "D")[:rank], 3), w]
    assert "ConvTranspose" in operators(assert_agrees(fn, x, w, atol=1e-4, specs=specs))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("groups", [2, 4])
def test_transposed_in_groups(groups: int, dtype: Any) -> None:
    kernel = jnp.asarray(_RNG.standard_normal((8, 4 // groups, 3, 2)), dtype)

    def fn(x: jax.Array) -> jax.Array:
        padding = [(1, 2), (0, 1)]
        return lax.conv_general_dilated(
            x.astype(dtype), kernel, (1, 1), padding, (2, 1), feature_group_count=groups
        )

    error = {"float32": 1e-4, "float16": 2e-2, "bfloat16": 2e-1}[dtype]
    model = assert_agrees(fn, X.transpose(0, 3, 1, 2), atol=error, rtol=error)
    assert "ConvTranspose" in operators(model)


@pytest.mark.parametrize(
    "options",
    [
        {"padding": [(4, 1), (0, 0)]},  # There are more zeros in front than the window is wide.
        {"padding": [(0, 4), (0, 0)]},  # There are as many zeros behind as between the elements.
        {"padding": [(1, 1), (1, 1)], "window_strides": (2, 1)},
        {"padding": [(1, 1), (1, 1)], "batch_group_count": 2},
    ],
)
def test_convolutions_that_are_almost_transposed(options: Any) -> None:
    def fn(x: jax.Array, w: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            x,
            w,
            **{"window_strides": (1, 1), **options},
            lhs_dilation=(2, 1),
            dimension_numbers=NHWC,
        )

    model = assert_agrees(fn, X, W, atol=1e-4)
    assert "ConvTranspose" not in operators(model)


@pytest.mark.parametrize("padding", [(-1, 0), (-3, -3), (4, -9), (4, -11)])
def test_negative_padding(padding: Any) -> None:
    def fn(x: jax.Array, w: jax.Array) -> jax.Array:
        amounts = [padding, (0, 0)]
        return lax.conv_general_dilated(x, w, (1, 1), amounts, (2, 1), dimension_numbers=NHWC)

    x = X[:, :4]
    assert_agrees(fn, x, W, atol=1e-4)


@pytest.mark.parametrize("as_transpose", [False, True])
def test_transposed_modules_have_one_operator_each(as_transpose: bool) -> None:
    rngs = nnx.Rngs(0)
    layer = [
        nnx.ConvTranspose(4, 4, (4, 4), (2, 2), transpose_kernel=as_transpose, rngs=rngs)
        for _ in range(2)
    ]
    agrees = agreement_with(conv_bias, layout, stored_order, transpose)
    model = agrees(nnx.Sequential(*layer), X, atol=1e-3, specs=[("B", "H", "W", 4)])
    assert operators(model) == ["Transpose", "ConvTranspose", "ConvTranspose", "Transpose"]
    assert all(len(node.input) == 3 for node in model.graph.node if node.input[1:])


def test_gradient_of_a_strided_convolution() -> None:
    w = jnp.asarray(W)

    def fn(x: jax.Array) -> Any:
        def loss(x: jax.Array) -> Any:
            y = lax.conv_general_dilated(x, w, (2, 2), "SAME", dimension_numbers=NHWC)
            return (y * y).sum()

        return jax.grad(loss)(x)

    assert "ConvTranspose" in operators(assert_agrees(fn, X, atol=1e-3, rtol=1e-4))


def test_transposed_with_accumulation_in_another_type() -> None:
    def fn(x: jax.Array, w: jax.Array) -> jax.Array:
        x, w = x.astype(jnp.bfloat16), w.astype(jnp.bfloat16)
        return lax.conv_transpose(
            x, w, (2, 2), "SAME", dimension_numbers=NHWC, preferred_element_type=np.float32
        )

    assert "ConvTranspose" in operators(assert_agrees(fn, X, W[:, :2, :, :4], atol=1e-3))


def test_a_kernel_for_each_element_of_a_symbolic_batch() -> None:
    def fn(x: jax.Array, w: jax.Array) -> jax.Array:
        return jax.vmap(lambda x, w: jnp.convolve(x, w, mode="same"))(x, w)

    assert_agrees(fn, X[0, :, :, 0], W[:, 0, :, 0].repeat(3, 0), specs=[("B", 8), ("B", 4)])
