from __future__ import annotations

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from jax import Array

from jax2onnx.rewrite.rules.arithmetic import known_choice, neutral, reduce_mean
from jax2onnx.rewrite.rules.attention import attention, softmax
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.products import linear, transposed_product
from jax2onnx.rewrite.rules.views import expand, stored_order, transpose, view, view_after
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, conversion_with, operator_counts
from jax2onnx.trace import InputSpec

RULES = (
    known_choice,
    neutral,
    reduce_mean,
    attention,
    softmax,
    loop_invariant,
    linear,
    transposed_product,
    stored_order,
    expand,
    transpose,
    view,
    view_after,
)
assert_agrees = agreement_with(*RULES)
convert = conversion_with(*RULES)

RNG = np.random.default_rng(0)
B, T, S, H, D = 2, 5, 7, 3, 4
Q, K, V = (RNG.standard_normal((B, H, n, D), np.float32) for n in (T, S, S))
X = RNG.standard_normal((B, T, H * D), np.float32)
LENGTHS = np.asarray([2, 5], np.int32)


def by_head(q: Array, k: Array, v: Array) -> Array:
    return jax.nn.softmax(q @ k.swapaxes(-1, -2) * D**-0.5, axis=-1) @ v


def scaled_queries(q: Array, k: Array, v: Array) -> Array:
    return jax.nn.softmax((q / 3) @ k.swapaxes(-1, -2), axis=-1) @ v


def unscaled(q: Array, k: Array, v: Array) -> Array:
    return jax.nn.softmax(q @ k.swapaxes(-1, -2), axis=-1) @ v


def of_tokens(x: Array) -> Array:
    """Compute self-attention of x (batch, tokens, heads * d)."""
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
    assert operators(model) == ["MatMul"] * 3 + ["Attention", "MatMul"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(of_tokens), X)
    assert operator_counts(model)["Attention"] == 1


def test_holds_back_below_opset_23() -> None:
    model = assert_agrees(of_views, X, X, X, opset=22)
    assert operator_counts(model)["Attention"] == 0


CAUSAL = np.arange(S) <= np.arange(T)[:, None]
MASK = CAUSAL.copy()
MASK[0] = False  # This query has no key.
LOW = float(np.finfo(np.float32).min)


def hidden(mask: Any, number: float) -> Any:
    def attend(q: Array, k: Array, v: Array) -> Array:
        scores = jnp.where(mask, q @ k.swapaxes(-1, -2) / 2, number)
        return jax.nn.softmax(scores, axis=-1) @ v

    return attend


@pytest.mark.parametrize("number", [LOW, -1e30, -1e10, -np.inf])
def test_causal(number: float) -> None:
    model = convert(hidden(CAUSAL, number), [(B, H, n, D) for n in (T, S, S)])
    (node,) = model.graph.node
    assert {a.name: a.i for a in node.attribute if a.name == "is_causal"} == {"is_causal": 1}
    assert_agrees(hidden(CAUSAL, number), Q, K, V)


@pytest.mark.parametrize("number", [-1e2, -1e4])
@pytest.mark.parametrize("mask", [CAUSAL, MASK])
def test_holds_back_where_a_score_may_be_lower_than_hidden_ones(mask: Any, number: float) -> None:
    q, k = np.full_like(Q, 2 * number), np.ones_like(K)  # Every score is four times the number.
    model = assert_agrees(hidden(mask, number), q, k, V)
    assert operator_counts(model)["Attention"] == 0


@pytest.mark.parametrize("mask", [MASK, MASK[None, None], np.stack([MASK, ~MASK])[:, None]])
def test_a_query_without_keys_gives_the_mean(mask: Any) -> None:
    model = assert_agrees(hidden(mask, LOW), Q, K, V)
    assert operators(model) == ["Where", "Attention"]


def test_queries_without_any_key() -> None:
    assert_agrees(hidden(np.bool_(False), LOW), Q, K, V)


@pytest.mark.parametrize("together", [True, False])
def test_biases_whose_sum_is_minus_infinity(together: bool) -> None:
    hidden_queries = np.where(np.arange(T)[:, None] < 2, LOW, 0).astype(np.float32)
    hidden_keys = np.where(np.arange(S) < 3, LOW, 0).astype(np.float32)

    def attend(q: Array, k: Array, v: Array, rows: Array, columns: Array) -> Array:
        x = q @ k.swapaxes(-1, -2) / 2
        x = x + (rows + columns) if together else x + rows + columns
        return jax.nn.softmax(x, axis=-1) @ v

    model = assert_agrees(attend, Q, K, V, hidden_queries, hidden_keys)
    assert operator_counts(model)["Attention"] == 1


@pytest.mark.parametrize("number", [-1e9, -np.inf])
def test_holds_back_where_a_query_without_a_key_would_change(number: float) -> None:
    model = assert_agrees(hidden(MASK, number), Q, K, V)
    assert operator_counts(model)["Attention"] == 0


@pytest.mark.parametrize("number", [-1e10, -np.inf])
def test_holds_back_where_whole_queries_are_hidden(number: float) -> None:
    queries = np.arange(T)[:, None] != 1  # The mask is the same for all keys.
    model = assert_agrees(hidden(queries, number), Q, K, V)
    assert operator_counts(model)["Attention"] == 0


@pytest.mark.parametrize("attend", [jax.nn.dot_product_attention, nnx.dot_product_attention])
@pytest.mark.parametrize("spec", [(B, T, H, D), ("B", "T", H, D)])
def test_masks_of_libraries(attend: Any, spec: Any) -> None:
    def function(x: Array, mask: Array) -> Any:
        return attend(x, x + 1, 2 * x, mask=mask)

    x = RNG.standard_normal((B, T, H, D), np.float32)
    mask = RNG.random((B, 1, T, T)) < 0.4
    mask[0, 0, 2] = False
    flags = InputSpec((spec[0], 1, spec[1], spec[1]), bool)
    model = assert_agrees(function, x, mask, specs=[spec, flags])
    assert set(operators(model)) <= {"Add", "Attention", "Mul", "Reshape", "Where"}


@pytest.mark.parametrize("options", [{"is_causal": True}, {"key_value_seq_lengths": LENGTHS}])
@pytest.mark.parametrize("spec", [(B, T, H, D), ("B", "T", H, D)])
def test_options_of_dot_product_attention(options: Any, spec: Any) -> None:
    def function(x: Array) -> Any:
        return jax.nn.dot_product_attention(x, x + 1, 2 * x, **options)

    x = RNG.standard_normal((B, T, H, D), np.float32)
    specs = [(B if "key_value_seq_lengths" in options else spec[0], *spec[1:])]
    model = assert_agrees(function, x, specs=specs)
    counts = operator_counts(model)
    assert (counts["Attention"], counts["MatMul"], counts["Transpose"]) == (1, 0, 0)


N, G = 6, 2
GROUPED = [
    RNG.standard_normal((B, n, h, D), np.float32) for n, h in ((T, N), (S, N // G), (S, N // G))
]
NAMED = [("B", "T", N, D), ("B", "S", N // G, D), ("B", "S", N // G, D)]


def repeated(q: Array, k: Array, v: Array) -> Array:
    return jax.nn.dot_product_attention(
        q, *(jnp.repeat(x, N // x.shape[2], axis=2) for x in (k, v))
    )


def repeated_by_head(q: Array, k: Array, v: Array) -> Array:
    k, v = (jnp.repeat(x.swapaxes(1, 2), G, axis=1) for x in (k, v))
    return by_head(q.swapaxes(1, 2), k, v).swapaxes(1, 2)


def in_groups(q: Array, k: Array, v: Array) -> Array:
    grouped = q.reshape(*q.shape[:2], -1, G, D)
    shares = jax.nn.softmax(jnp.einsum("btkgd,bskd->bkgts", grouped, k) / 3, axis=-1)
    return jnp.einsum("bkgts,bskd->btkgd", shares, v).reshape(q.shape)


def grouped(model: Any) -> dict[str, int]:
    """Return the head counts of the only Attention in a model, which must have no other product."""
    counts = operator_counts(model)
    assert [counts[o] for o in ("Attention", "MatMul", "Softmax", "Transpose", "Expand")] == [
        1,
        0,
        0,
        0,
        0,
    ]
    (node,) = (n for n in model.graph.node if n.op_type == "Attention")
    return {a.name: a.i for a in node.attribute if a.type == a.INT}


@pytest.mark.parametrize("specs", [None, NAMED])
@pytest.mark.parametrize(
    "attend",
    [
        jax.nn.dot_product_attention,
        nnx.dot_product_attention,
        repeated,
        repeated_by_head,
        in_groups,
    ],
)
def test_queries_in_groups(attend: Any, specs: Any) -> None:
    model = assert_agrees(attend, *GROUPED, specs=specs)
    assert grouped(model) == {"q_num_heads": N, "kv_num_heads": N // G}


@pytest.mark.parametrize("place", PLACES)
def test_queries_in_groups_inside(place: Any) -> None:
    model = assert_agrees(place(jax.nn.dot_product_attention), *GROUPED)
    assert operator_counts(model)["Attention"] == 1


@pytest.mark.parametrize("attend", [jax.nn.dot_product_attention, repeated])
@pytest.mark.parametrize("tokens", [1, T])
def test_one_head_of_keys(attend: Any, tokens: int) -> None:
    q, k, v = GROUPED[0][:, :tokens], *(x[:, :, :1] for x in GROUPED[1:])
    for specs in (None, [("B", *q.shape[1:]), ("B", "S", 1, D), ("B", "S", 1, D)]):
        model = assert_agrees(attend, q, k, v, specs=specs)
        assert operator_counts(model)["Attention"] == 1


def test_scalar_bias_with_one_token_and_one_head_of_keys() -> None:
    def attend(q: Array, k: Array, v: Array, bias: Array) -> Array:
        scores = jnp.einsum("bkgth,bskh->bgkts", q, k) + bias
        return jnp.einsum("bgkts,bskd->dtkgb", jax.nn.softmax(scores, axis=-1), v)

    q, k, v = GROUPED[0][:1, :1, None, :2].swapaxes(2, 3), *(x[:1, :, :1] for x in GROUPED[1:])
    assert_agrees(attend, q.reshape(1, 1, 2, 1, D), k, v, np.full((1,) * 5, 0.5, np.float32))


def test_tiled_heads_are_not_groups() -> None:
    def attend(q: Array, k: Array, v: Array) -> Array:
        return jax.nn.dot_product_attention(q, *(jnp.tile(x, (1, 1, G, 1)) for x in (k, v)))

    assert_agrees(attend, *GROUPED)
    assert_agrees(attend, *GROUPED, specs=NAMED)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("heads", [1, N])
@pytest.mark.parametrize("kind", ["mask", "bias", "both"])
def test_queries_in_groups_with_masks(kind: str, heads: int, named: bool) -> None:
    def attend(q: Array, k: Array, v: Array, mask: Array) -> Any:
        options = {"bias": mask} if kind == "bias" else {"mask": mask, "is_causal": kind == "both"}
        return jax.nn.dot_product_attention(q, k, v, **options)

    mask: Any = RNG.standard_normal((B, heads, T, S), np.float32)
    if kind != "bias":
        mask = mask < 0
        mask[0, 0, 2] = False
    sizes = ("B", heads, "T", "S") if named else mask.shape
    specs = [*(NAMED if named else [a.shape for a in GROUPED]), InputSpec(sizes, mask.dtype)]
    model = assert_agrees(attend, *GROUPED, mask, specs=specs)
    counts = operator_counts(model)
    assert (counts["Attention"], counts["MatMul"], counts["Transpose"]) == (1, 0, 0)


@pytest.mark.parametrize("specs", [None, NAMED])
def test_causal_queries_in_groups(specs: Any) -> None:
    attend = functools.partial(jax.nn.dot_product_attention, is_causal=True)
    found = grouped(assert_agrees(attend, *GROUPED, specs=specs))
    assert found == {"q_num_heads": N, "kv_num_heads": N // G, "is_causal": 1}


@pytest.mark.parametrize("mask", [None, np.tril(np.ones((T, T), bool))[None, None]])
def test_module_with_fewer_heads_of_keys(mask: Any) -> None:
    module = nnx.MultiHeadAttention(
        H * 2, H * D * 2, num_kv_heads=H, decode=False, rngs=nnx.Rngs(0)
    )
    x = RNG.standard_normal((B, T, H * D * 2), np.float32)
    model = assert_agrees(lambda x: module(x, mask=mask), x, specs=[("B", *x.shape[1:])])
    counts = operator_counts(model)
    assert (counts["Attention"], counts["Softmax"], counts["Transpose"]) == (1, 0, 0)


def test_holds_back_where_two_masks_leave_no_key_together() -> None:
    def attend(q: Array, k: Array, v: Array, mask: Array) -> Array:
        scores = jnp.where(CAUSAL, q @ k.swapaxes(-1, -2), -1e10)
        return jax.nn.softmax(jnp.where(mask, scores, LOW), axis=-1) @ v

    model = assert_agrees(attend, Q, K, V, ~CAUSAL)
    assert operator_counts(model)["Attention"] == 0


def test_bias_and_mask_together() -> None:
    bias = RNG.standard_normal((H, T, S), np.float32)

    def attend(q: Array, k: Array, v: Array) -> Array:
        scores = jnp.where(MASK, q @ k.swapaxes(-1, -2) + bias, LOW) + 0.5 * bias
        return jax.nn.softmax(scores, axis=-1) @ v

    model = assert_agrees(attend, Q, K, V)
    assert operator_counts(model)["Attention"] == 1


def test_softcap() -> None:
    def attend(q: Array, k: Array, v: Array) -> Array:
        scores = 5.0 * jnp.tanh(q @ k.swapaxes(-1, -2) * 3 / 5.0)
        return jax.nn.softmax(scores, axis=-1) @ v

    assert operators(assert_agrees(attend, Q, K, V)) == ["Attention"]


def test_padding_of_keys() -> None:
    """BERT hides padding by adding a number to each key of each text."""

    def attend(q: Array, k: Array, v: Array, mask: Array) -> Array:
        bias = (1 - mask[:, None, None, :]) * LOW
        return jax.nn.softmax(q @ k.swapaxes(-1, -2) + bias, axis=-1) @ v

    mask = np.asarray([[0] * S, [1, 1, 0, 0, 1, 0, 0]], np.float32)
    specs = [("B", H, T, D), ("B", H, S, D), ("B", H, S, D), ("B", S)]
    model = assert_agrees(attend, Q, K, V, mask, specs=specs)
    assert operator_counts(model)["Attention"] == 1


@pytest.mark.parametrize("library", ["nnx", "linen", "equinox"])
def test_masked_modules(library: str) -> None:
    mask = np.tril(np.ones((T, T), bool))
    module: Any
    if library == "nnx":
        module = nnx.MultiHeadAttention(H, H * D, decode=False, rngs=nnx.Rngs(0))
        function = lambda x: module(x, mask=mask[None, None])  # noqa: E731
    elif library == "linen":
        attention = nn.MultiHeadDotProductAttention(H)
        variables = attention.init(jax.random.key(0), X)
        function = lambda x: attention.apply(variables, x, mask=mask)  # noqa: E731
    else:
        module = eqx.nn.MultiheadAttention(H, H * D, key=jax.random.key(0))
        function = jax.vmap(lambda x: module(x, x, x, mask=mask))
    model = assert_agrees(function, X, specs=[("B", T, H * D)])
    counts = operator_counts(model)
    assert (counts["Attention"], counts["Softmax"], counts["Transpose"]) == (1, 0, 0)


def along_queries(q: Array, k: Array, v: Array) -> Array:
    return jax.nn.softmax(q @ k.swapaxes(-1, -2), axis=-2) @ v


def shared_keys(q: Array, k: Array, v: Array) -> Array:
    return jax.nn.softmax(q @ k[:, :1].swapaxes(-1, -2), axis=-1) @ v


@pytest.mark.parametrize("function", [along_queries, shared_keys])
def test_holds_back(function: Any) -> None:
    model = assert_agrees(function, Q, K, V)
    assert operator_counts(model)["Attention"] == 0


def test_holds_back_where_the_weights_are_an_output() -> None:
    def both(q: Array, k: Array, v: Array) -> tuple[Array, Array]:
        shares = jax.nn.softmax(q @ k.swapaxes(-1, -2), axis=-1)
        return shares @ v, shares

    model = assert_agrees(both, Q, K, V)
    assert operator_counts(model)["Attention"] == 0


def test_holds_back_for_doubles() -> None:
    wide = [a.astype(np.float64) for a in (Q, K, V)]
    model = assert_agrees(by_head, *wide, double=True, rtol=1e-10)
    assert operator_counts(model)["Attention"] == 0


def test_heads_of_tokens_in_two_axes_of_batches() -> None:
    attention = nnx.MultiHeadAttention(4, 8, decode=False, use_bias=False, rngs=nnx.Rngs(0))
    x = np.random.default_rng(0).standard_normal((3, 2, 5, 8), dtype=np.float32)
    assert_agrees(jax.vmap(attention), x)
