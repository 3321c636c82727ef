from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jax2onnx.rewrite.testing import PLACES, operator_counts
from jax2onnx.testing import assert_agrees, operators

RNG = np.random.default_rng(0)
B, T, S, H, D = 2, 5, 7, 3, 4
Q, K, V = (RNG.standard_normal((B, H, n, D), np.float32) for n in (T, S, S))
X = RNG.standard_normal((B, T, H * D), np.float32)


def by_head(q: Array, k: Array, v: Array) -> Array:
    return jax.nn.softmax(q @ k.swapaxes(-1, -2) * D**-0.5, axis=-1) @ v


def scaled_queries(q: Array, k: Array, v: Array) -> Array:
    return jax.nn.softmax((q / 3) @ k.swapaxes(-1, -2), axis=-1) @ v


def unscaled(q: Array, k: Array, v: Array) -> Array:
    return jax.nn.softmax(q @ k.swapaxes(-1, -2), axis=-1) @ v


def of_tokens(x: Array) -> Array:
    """Self-attention of (batch, tokens, heads * d)."""
    heads = x.reshape(*x.shape[:2], H, D).swapaxes(1, 2)
    mixed = by_head(heads, heads + 1, heads * 2)
    return mixed.swapaxes(1, 2).reshape(x.shape)


def of_views(q: Array, k: Array, v: Array) -> Array:
    q, k, v = (x.reshape(*x.shape[:2], H, D).swapaxes(1, 2) for x in (q, k, v))
    return by_head(q, k, v).swapaxes(1, 2).reshape(*q.shape[:1], -1, H * D)


def test_holds_back_where_the_scale_is_negative() -> None:
    def function(q: Array, k: Array, v: Array) -> Array:
        return jax.nn.softmax(q @ k.swapaxes(-1, -2) * -0.5, axis=-1) @ v

    assert "Attention" not in operators(assert_agrees(function, Q, K, V))


@pytest.mark.parametrize("function", [by_head, scaled_queries, unscaled])
def test_heads_first(function: Any) -> None:
    model = assert_agrees(function, Q, K, V)
    assert operators(model) == ["Attention"]


@pytest.mark.parametrize(
    "specs", [[("B", T, H * D)] * 3, [("B", "T", H * D)] * 3, [(B, T, H * D)] * 3]
)
def test_views_of_tokens_need_no_transpose(specs: Any) -> None:
    model = assert_agrees(of_views, X, X + 1, X * 2, specs=specs)
    assert operators(model) == ["Attention"]


def test_module_of_equinox() -> None:
    module = eqx.nn.MultiheadAttention(H, H * D, key=jax.random.key(0))
    model = assert_agrees(
        jax.vmap(lambda x: module(x, x, x)), X, specs=[("B", T, H * D)], atol=1e-5
    )
    found = [operator for operator in operators(model) if operator != "Reshape"]
    assert found == ["Gemm"] * 3 + ["Attention", "Gemm"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(of_tokens), X)
    assert operator_counts(model)["Attention"] == 1


def test_holds_back_below_opset_23() -> None:
    model = assert_agrees(of_views, X, X, X, opset=22)
    assert operator_counts(model)["Attention"] == 0


MASK = np.arange(S) <= np.arange(T)[:, None]
MASK[0] = False


def masked(q: Array, k: Array, v: Array) -> Array:
    scores = jnp.where(MASK, q @ k.swapaxes(-1, -2), np.finfo(np.float32).min)
    return jax.nn.softmax(scores, axis=-1) @ v


def biased(q: Array, k: Array, v: Array) -> Array:
    return jax.nn.softmax(q @ k.swapaxes(-1, -2) + jnp.where(MASK, 0.0, -1e9), axis=-1) @ v


def along_queries(q: Array, k: Array, v: Array) -> Array:
    return jax.nn.softmax(q @ k.swapaxes(-1, -2), axis=-2) @ v


def shared_keys(q: Array, k: Array, v: Array) -> Array:
    return jax.nn.softmax(q @ k[:, :1].swapaxes(-1, -2), axis=-1) @ v


@pytest.mark.parametrize("function", [masked, biased, along_queries, shared_keys])
def test_holds_back(function: Any) -> None:
    model = assert_agrees(function, Q, K, V)
    assert operator_counts(model)["Attention"] == 0


def test_holds_back_where_the_shares_are_a_result() -> None:
    def both(q: Array, k: Array, v: Array) -> tuple[Array, Array]:
        shares = jax.nn.softmax(q @ k.swapaxes(-1, -2), axis=-1)
        return shares @ v, shares

    model = assert_agrees(both, Q, K, V)
    assert operator_counts(model)["Attention"] == 0


def test_holds_back_for_doubles() -> None:
    wide = [a.astype(np.float64) for a in (Q, K, V)]
    model = assert_agrees(by_head, *wide, double=True, rtol=1e-10)
    assert operator_counts(model)["Attention"] == 0
