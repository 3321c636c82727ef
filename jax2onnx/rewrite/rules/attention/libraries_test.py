"""Attention and rotary embeddings as libraries spell them, in plain JAX, with all rules.

This is a test of the rules `attention`, `rotary_embedding` and `cut_first`, and of those that they
build on. The graphs are those that a person would write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from flax import nnx
from jax import Array

from jax2onnx.testing.conversion import assert_agrees
from jax2onnx.trace import InputSpec

RNG = np.random.default_rng(0)
B, T, S, H, D, K = 2, 9, 7, 6, 4, 2
X = RNG.standard_normal((B, T, 3 * H * D), np.float32)
WEIGHTS = RNG.standard_normal((3, H * D, H * D), np.float32) / 4
LOW = float(np.finfo(np.float32).min)
NAMED = [("B", "T", 3 * H * D)]


def count(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def heads_of(model: onnx.ModelProto) -> dict[str, int]:
    (node,) = (n for n in model.graph.node if n.op_type == "Attention")
    return {a.name: a.i for a in node.attribute if a.type == a.INT}


def core(q: Array, k: Array, v: Array) -> Array:
    """Mix values of shape (..., heads, tokens, d)."""
    scores = jnp.einsum("...hqd,...hkd->...hqk", q, k) / jnp.sqrt(D)
    return jnp.einsum("...hqk,...hkd->...hqd", jax.nn.softmax(scores, axis=-1), v)


def of_one_sample(x: Array) -> Array:
    q, k, v = x.reshape(x.shape[0], 3, H, D).transpose(1, 2, 0, 3)
    return core(q, k, v).transpose(1, 0, 2).reshape(x.shape[0], H * D)


def by_index(x: Array) -> Array:
    parts = x.reshape(x.shape[0], 3, H, D).transpose(1, 2, 0, 3)
    mixed = core(parts[0], parts[1], parts[2])
    return mixed.transpose(1, 0, 2).reshape(x.shape[0], H * D)


def of_a_batch(x: Array) -> Array:
    q, k, v = x.reshape(*x.shape[:2], 3, H, D).transpose(2, 0, 3, 1, 4)
    return core(q, k, v).transpose(0, 2, 1, 3).reshape(*x.shape[:2], H * D)


def scaled_first(x: Array) -> Array:
    q, k, v = x.reshape(*x.shape[:2], 3, H, D).transpose(2, 0, 3, 1, 4)
    shares = jax.nn.softmax((q * D**-0.5) @ k.swapaxes(-2, -1), axis=-1)
    return (shares @ v).transpose(0, 2, 1, 3).reshape(*x.shape[:2], H * D)


def tokens_first(x: Array) -> Array:
    parts = x.reshape(*x.shape[:2], 3, H, D)
    q, k, v = (parts[:, :, i] for i in range(3))
    return jax.nn.dot_product_attention(q, k, v).reshape(*x.shape[:2], H * D)


@pytest.mark.parametrize("x", [X, X[:1, :1]], ids=["batch", "one token"])
@pytest.mark.parametrize(
    "function",
    [jax.vmap(of_one_sample), jax.vmap(by_index), of_a_batch, scaled_first, tokens_first],
)
def test_fused_projection_of_timm(function: Callable[[Array], Array], x: Any) -> None:
    for specs in ([x.shape], NAMED):
        found = count(assert_agrees(function, x, specs=specs, opset=23))
        assert found == {"Split": 1, "Attention": 1}


def rotated(x: Array) -> Array:
    q, k, v = x.reshape(*x.shape[:2], 3, H, D).transpose(2, 0, 3, 1, 4)
    angles = jnp.arange(x.shape[1])[:, None] * jnp.asarray([1.0, 0.1])
    angles = jnp.concatenate([angles, angles], axis=-1)

    def turned(x: Array) -> Array:
        a, b = jnp.split(x, 2, axis=-1)
        return x * jnp.cos(angles) + jnp.concatenate([-b, a], axis=-1) * jnp.sin(angles)

    return core(turned(q), turned(k), v).transpose(0, 2, 1, 3).reshape(*x.shape[:2], H * D)


@pytest.mark.parametrize("x", [X, X[:1], X[:1, :1]], ids=["batch", "one item", "one token"])
def test_rotated_fused_projection(x: Any) -> None:
    found = count(assert_agrees(rotated, x, opset=23))
    assert found == {"Split": 1, "Cos": 1, "Sin": 1, "RotaryEmbedding": 2, "Attention": 1}


@pytest.mark.parametrize("specs", [None, [("B", "T", H * D)]])
def test_modules_with_a_bias_of_each_head(specs: Any) -> None:
    module = nnx.MultiHeadAttention(H, H * D, decode=False, rngs=nnx.Rngs(0))
    found = count(assert_agrees(module, X[..., : H * D], specs=specs, opset=23))
    assert found == {"MatMul": 4, "Add": 4, "Attention": 1}


def test_heads_outside_of_the_projections_need_views() -> None:
    """GPT-NeoX has queries, keys and values of each head side by side."""

    def function(x: Array) -> Array:
        q, k, v = jnp.split(x.reshape(*x.shape[:2], H, 3 * D), 3, axis=-1)
        return jax.nn.dot_product_attention(q, k, v).reshape(*x.shape[:2], H * D)

    found = count(assert_agrees(function, X, specs=NAMED, opset=23))
    assert found == {"Reshape": 4, "Split": 1, "Attention": 1}


def heads_before_parts(x: Array) -> Array:
    q, k, v = x.reshape(*x.shape[:2], H, 3, D).transpose(3, 0, 2, 1, 4)
    return core(q, k, v).transpose(0, 2, 1, 3).reshape(*x.shape[:2], H * D)


def keys_are_values(x: Array) -> Array:
    q, k, v = x.reshape(*x.shape[:2], 3, H, D).transpose(2, 0, 3, 1, 4)
    return core(k, v, q).transpose(0, 2, 1, 3).reshape(*x.shape[:2], H * D)


def attends_to_heads(x: Array) -> Array:
    q, k, v = x.reshape(*x.shape[:2], 3, H, D).transpose(2, 0, 1, 3, 4)
    return core(q, k, v).reshape(*x.shape[:2], H * D)


def other_heads_of_values(x: Array) -> Array:
    q, k, v = x.reshape(*x.shape[:2], 3, H, D).transpose(2, 0, 3, 1, 4)
    return core(q, k, v[:, ::-1]).transpose(0, 2, 1, 3).reshape(*x.shape[:2], H * D)


@pytest.mark.parametrize(
    "function", [heads_before_parts, keys_are_values, attends_to_heads, other_heads_of_values]
)
def test_near_misses_of_a_fused_projection(function: Callable[[Array], Array]) -> None:
    assert_agrees(function, X, opset=23)
    assert_agrees(function, X, specs=NAMED, opset=23)


Q, KEYS, VALUES = (
    RNG.standard_normal((B, n, h * D), np.float32) for n, h in ((T, H), (S, K), (S, K))
)
SPECS: list[Any] = [("B", "T", H * D), ("B", "S", K * D), ("B", "S", K * D)]
VISIBLE = RNG.random((B, T, S)) < 0.5
VISIBLE[0, 2] = False


def grouped(q: Array, k: Array, v: Array) -> tuple[Array, Array, Array]:
    k, v = (x.reshape(*x.shape[:2], -1, D) for x in (k, v))
    return q.reshape(*q.shape[:2], k.shape[2], -1, D) * D**-0.5, k, v


def of_tunix(q: Array, k: Array, v: Array, mask: Array | None = None) -> Array:
    shape = q.shape
    q, k, v = grouped(q, k, v)
    scores = jnp.einsum("btkgh,bskh->bkgts", q, k)
    if mask is not None:
        scores = jnp.where(mask[:, None, None], scores, -2.3819763e38)
    return jnp.einsum("bkgts,bskh->btkgh", jax.nn.softmax(scores, axis=-1), v).reshape(shape)


def of_gemma(q: Array, k: Array, v: Array, mask: Array | None = None) -> Array:
    shape = q.shape
    q, k, v = grouped(q, k, v)
    scores = jnp.einsum("btkgh,bskh->btkgs", q, k).reshape(*shape[:2], -1, k.shape[1])
    if mask is not None:
        scores = jnp.where(mask[:, :, None], scores, -2.3819763e38)
    shares = jax.nn.softmax(scores, axis=-1).reshape(*q.shape[:4], -1)
    return jnp.einsum("btkgs,bskh->btkgh", shares, v).reshape(shape)


def of_mixtral(q: Array, k: Array, v: Array, mask: Array | None = None) -> Array:
    shape = q.shape
    q = q.reshape(*shape[:2], H, D).swapaxes(1, 2)
    k, v = (x.reshape(*x.shape[:2], -1, D).swapaxes(1, 2)[:, :, None] for x in (k, v))
    full = (*k.shape[:2], H // k.shape[1], *k.shape[3:])
    k, v = (jnp.broadcast_to(x, full).reshape(k.shape[0], H, *k.shape[3:]) for x in (k, v))
    scores = q @ k.swapaxes(2, 3) * D**-0.5
    if mask is not None:
        scores = scores + jnp.where(mask[:, None], 0.0, LOW)
    return (jax.nn.softmax(scores, axis=-1) @ v).swapaxes(1, 2).reshape(shape)


def of_keras_hub(q: Array, k: Array, v: Array, mask: Array | None = None) -> Array:
    shape = q.shape
    k, v = (jnp.repeat(x.reshape(*x.shape[:2], -1, D), H // K, axis=2) for x in (k, v))
    scores = jnp.einsum("bquh,bkuh->buqk", q.reshape(*shape[:2], H, D), k) / D**0.5
    if mask is not None:
        scores = jnp.where(mask[:, None], scores, -1e9)
    shares = jax.nn.softmax(scores, axis=-1)
    if mask is not None:
        shares = jnp.where(mask[:, None], shares, 0.0)
    return jnp.einsum("buqk,bkuh->bquh", shares, v).reshape(shape)


GROUPED = [of_tunix, of_gemma, of_mixtral, of_keras_hub]


@pytest.mark.parametrize(("batch", "tokens"), [(B, T), (1, 1)])
@pytest.mark.parametrize("attend", GROUPED)
def test_grouped_queries(attend: Any, batch: int, tokens: int) -> None:
    arrays = [Q[:batch, :tokens], KEYS[:batch], VALUES[:batch]]
    for specs in ([x.shape for x in arrays], SPECS):
        model = assert_agrees(attend, *arrays, specs=specs, opset=23)
        assert count(model) == {"Attention": 1}
        assert heads_of(model) == {"q_num_heads": H, "kv_num_heads": K}


@pytest.mark.parametrize("tokens", [T, 1])
@pytest.mark.parametrize("attend", GROUPED)
def test_masked_grouped_queries(attend: Any, tokens: int) -> None:
    arrays = [Q[:, :tokens], KEYS, VALUES, VISIBLE[:, 2 : 2 + tokens] if tokens == 1 else VISIBLE]
    model = assert_agrees(attend, *arrays, opset=23)
    found = count(model)
    assert set(found) <= {"Add", "Attention", "Mul", "Unsqueeze", "Where"}
    assert heads_of(model) == {"q_num_heads": H, "kv_num_heads": K}


@pytest.mark.parametrize("tokens", [T, 1])
@pytest.mark.parametrize("attend", [of_tunix, of_gemma, of_mixtral])
def test_one_head_of_keys(attend: Any, tokens: int) -> None:
    arrays = [Q[:, :tokens], KEYS[..., :D], VALUES[..., :D]]
    found = count(assert_agrees(attend, *arrays, opset=23))
    assert found == {"Attention": 1}


def test_groups_in_the_wrong_order() -> None:
    def attend(q: Array, k: Array, v: Array) -> Array:
        shape = q.shape
        k, v = (x.reshape(*x.shape[:2], K, D) for x in (k, v))
        q = q.reshape(*shape[:2], -1, K, D)
        shares = jax.nn.softmax(jnp.einsum("btgkh,bskh->bkgts", q, k), axis=-1)
        return jnp.einsum("bkgts,bskh->btgkh", shares, v).reshape(shape)

    assert_agrees(attend, Q, KEYS, VALUES, opset=23)
    assert_agrees(attend, Q, KEYS, VALUES, specs=SPECS, opset=23)


def of_keras(x: Array, mask: Array | None, *, causal: bool = False, shown: Any = None) -> Array:
    """Compute ``keras.layers.MultiHeadAttention`` with dropout, which masks shares as well."""
    q, k, v = (((x @ w).reshape(*x.shape[:2], H, D)) for w in WEIGHTS)
    scores = jnp.einsum("aecd,abcd->acbe", k, q * D**-0.5)
    if causal:
        ones = jnp.ones((1, x.shape[1], x.shape[1]), jnp.int32)
        earlier = jnp.cumsum(ones, -2) >= jnp.cumsum(ones, -1)
        mask = earlier if mask is None else mask & earlier
    if mask is not None:
        scores = jnp.where(mask[:, None], scores, -1e9)
    shares = jax.nn.softmax(scores, axis=-1)
    if mask is not None:
        shares = jnp.where((mask if shown is None else shown)[:, None], shares, 0.0)
    return jnp.einsum("acbe,aecd->abcd", shares, v).reshape(x.shape)


TOKENS = RNG.standard_normal((B, T, H * D), np.float32)
SEEN = RNG.random((B, T, T)) < 0.4
SEEN[0, 3] = False


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_masked_attention_of_keras(causal: bool, named: bool) -> None:
    """A query that sees no key gets 0, as the operator's boolean mask has it."""

    def attend(x: Array, mask: Array) -> Array:
        return of_keras(x, mask, causal=causal)

    tokens = "T" if named else T
    specs = [("B", tokens, H * D), InputSpec(("B", tokens, tokens), bool)]
    found = count(assert_agrees(attend, TOKENS, SEEN, specs=specs, opset=23, atol=1e-5))
    assert (found["Attention"], found["Softmax"], found["Where"]) == (1, 0, 0)


@pytest.mark.parametrize("named", [False, True])
def test_causal_attention_of_keras(named: bool) -> None:
    specs = [("B", "T" if named else T, H * D)]
    model = assert_agrees(
        lambda x: of_keras(x, None, causal=True), TOKENS, specs=specs, opset=23, atol=1e-5
    )
    assert count(model) == {"MatMul": 3, "Attention": 1}
    assert heads_of(model)["is_causal"] == 1


def test_padding_of_keras() -> None:
    def attend(x: Array, mask: Array) -> Array:
        return of_keras(x, mask[:, None, :])

    specs = [("B", "T", H * D), InputSpec(("B", "T"), bool)]
    found = count(assert_agrees(attend, TOKENS, SEEN[:, 3], specs=specs, opset=23, atol=1e-5))
    assert (found["Attention"], found["Where"]) == (1, 0)


def test_holds_back_where_shares_are_masked_otherwise_than_scores() -> None:
    def attend(x: Array, mask: Array, shown: Array) -> Array:
        return of_keras(x, mask, shown=shown)

    found = count(assert_agrees(attend, TOKENS, SEEN, ~SEEN, opset=23, atol=1e-5))
    assert found["Attention"] == 0

    def unmasked(x: Array, shown: Array) -> Array:
        q, k, v = (((x @ w).reshape(*x.shape[:2], H, D)) for w in WEIGHTS)
        shares = jax.nn.softmax(jnp.einsum("aecd,abcd->acbe", k, q), axis=-1)
        shares = jnp.where(shown[:, None], shares, 0.0)
        return jnp.einsum("acbe,aecd->abcd", shares, v)

    found = count(assert_agrees(unmasked, TOKENS, SEEN, opset=23, atol=1e-5))
    assert found["Attention"] == 0


def of_bert(x: Array, padding: Array, factors: Array, equation: str) -> Array:
    q, k, v = (((x @ w).reshape(*x.shape[:2], H, D)) for w in WEIGHTS)
    bias = jnp.where(padding[:, None, None, :], 0.0, LOW)
    scores = jnp.einsum("bqhd,bkhd->bhqk", q / D**0.5, k) + bias
    shares = jnp.einsum(equation, jax.nn.softmax(scores, axis=-1), factors)
    return jnp.einsum("bhqk,bkhd->bqhd", shares, v).reshape(x.shape)


PADDING = np.arange(T) < np.array([[T], [4]])


@pytest.mark.parametrize(("equation", "shape"), [("bhqk,h->bhqk", (H,)), ("bhqk,bq->bhqk", (B, T))])
def test_head_mask_of_bert(equation: str, shape: tuple[int, ...]) -> None:
    factors = RNG.standard_normal(shape, np.float32)

    def attend(x: Array, padding: Array, factors: Array) -> Array:
        return of_bert(x, padding, factors, equation)

    found = count(assert_agrees(attend, TOKENS, PADDING, factors, opset=23, atol=1e-5))
    assert (found["Attention"], found["MatMul"], found["Transpose"]) == (1, 3, 0)


def test_holds_back_where_keys_are_weighted() -> None:
    factors = RNG.standard_normal(T, np.float32)

    def attend(x: Array, padding: Array, factors: Array) -> Array:
        return of_bert(x, padding, factors, "bhqk,k->bhqk")

    found = count(assert_agrees(attend, TOKENS, PADDING, factors, opset=23, atol=1e-5))
    assert found["Attention"] == 0


def test_a_head_mask_of_ones_is_no_operator() -> None:
    def attend(x: Array, padding: Array) -> Array:
        return of_bert(x, padding, jnp.ones(H), "bhqk,h->bhqk")

    found = count(assert_agrees(attend, TOKENS, PADDING, opset=23, atol=1e-5))
    assert (found["Attention"], found["Reshape"], found["MatMul"]) == (1, 0, 3)


@pytest.mark.parametrize("opset", [21, 24])
def test_other_operator_sets(opset: int) -> None:
    found = count(assert_agrees(of_a_batch, X, specs=NAMED, opset=opset))
    assert found["Attention"] == (opset > 22)


@pytest.mark.parametrize("attend", GROUPED)
def test_grouped_queries_in_another_operator_set(attend: Any) -> None:
    assert_agrees(attend, Q, KEYS, VALUES, VISIBLE, opset=21)
