from __future__ import annotations

from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exporters.model.layers import LayerNorm, Linear, attention, merge_heads, split_heads

Layer = TypeVar("Layer", Linear, LayerNorm)


def filled(layer: Layer, dtype: str) -> Layer:
    noise = np.random.default_rng(0)
    real: Layer = jax.tree.map(
        lambda leaf: jnp.asarray(noise.normal(size=leaf.shape), dtype), layer
    )
    return real


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_computes_in_the_dtype_of_its_input(dtype: str, bias: bool) -> None:
    layer = filled(Linear(5, 3, bias=bias), dtype)
    x = np.random.default_rng(1).normal(size=(2, 7, 5)).astype(np.float32)
    y = layer(jnp.asarray(x))
    expected = np.einsum("bti,oi->bto", x, np.float32(layer.weight))
    if layer.bias is not None:
        expected += np.float32(layer.bias)
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(y, expected, atol=1e-5)
    assert (layer.bias is not None) == bias


def test_layer_norm_against_float64() -> None:
    layer = filled(LayerNorm(6, 1e-5), "float32")
    x = np.random.default_rng(1).normal(3, 2, size=(4, 6)).astype(np.float32)
    wide = x.astype(np.float64)
    normalised = (wide - wide.mean(1, keepdims=True)) / np.sqrt(wide.var(1, keepdims=True) + 1e-5)
    expected = normalised * np.asarray(layer.weight) + np.asarray(layer.bias)
    np.testing.assert_allclose(layer(jnp.asarray(x)), expected, atol=1e-5)


def test_heads_split_and_merge() -> None:
    x = jnp.arange(2 * 3 * 20.0).reshape(6, 20)
    heads = split_heads(x, tokens=3, heads=4)
    assert heads.shape == (2, 4, 3, 5)
    np.testing.assert_array_equal(heads[1, 2, 0], x[3, 10:15])
    np.testing.assert_array_equal(merge_heads(heads), x)


def test_attention_against_a_loop() -> None:
    noise = np.random.default_rng(0)
    q, k, v = noise.normal(size=(3, 2, 4, 3, 5))
    bias = noise.normal(size=(2, 1, 1, 3))
    expected = np.empty_like(q)
    for b, h, t in np.ndindex(2, 4, 3):
        weight = np.exp(k[b, h] @ q[b, h, t] / np.sqrt(5) + bias[b, 0, 0])
        expected[b, h, t] = weight @ v[b, h] / weight.sum()
    result = attention(*(jnp.asarray(a, jnp.float32) for a in (q, k, v, bias)))
    np.testing.assert_allclose(result, expected, atol=1e-5)
