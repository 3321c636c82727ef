from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jax2onnx.rewrite.rules.arithmetic import neutral
from jax2onnx.rewrite.rules.attention import rotary_embedding
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.views import split, stack, transpose, view
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(
    neutral, rotary_embedding, loop_invariant, split, stack, transpose, view
)

RNG = np.random.default_rng(0)
B, T, H, D = 2, 5, 3, 8
X = RNG.standard_normal((B, H, T, D), np.float32)
BY_TOKEN = np.ascontiguousarray(X.swapaxes(1, 2))
ANGLES = np.arange(T, dtype=np.float32)[:, None] * 10.0 ** -np.arange(D // 2, dtype=np.float32)
COS, SIN = np.cos(ANGLES), np.sin(ANGLES)


def rotate(x: Array, cos: Any = COS, sin: Any = SIN) -> Array:
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def halves_by_index(x: Array) -> Array:
    a, b = x[..., : D // 2], x[..., D // 2 :]
    return jnp.concatenate([COS * a - SIN * b, SIN * a + COS * b], axis=-1)


def by_token(x: Array) -> Array:
    return rotate(x, COS[:, None], SIN[:, None])


def of_a_view(x: Array) -> Array:
    """Reshape (batch, tokens, heads * d) to (batch, heads, tokens, d), and rotate it."""
    return rotate(x.reshape(*x.shape[:2], H, D).swapaxes(1, 2))


def computed(x: Array) -> Array:
    angles = jnp.arange(x.shape[2])[:, None] * jnp.asarray(ANGLES[1])
    return rotate(x, jnp.cos(angles), jnp.sin(angles))


def interleaved(x: Array) -> Array:
    a, b = x[..., ::2], x[..., 1::2]
    return jnp.stack([a * COS - b * SIN, b * COS + a * SIN], axis=-1).reshape(x.shape)


def interleaved_by_index(x: Array) -> Array:
    a, b = (jnp.take(x, np.arange(i, D, 2), axis=-1) for i in (0, 1))
    return jnp.stack([a * COS - b * SIN, b * COS + a * SIN], axis=-1).reshape(x.shape)


def rotated_half(x: Array) -> Array:
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([-b, a], axis=-1)


def of_llama(x: Array) -> Array:
    cos, sin = (np.concatenate([t, t], axis=-1) for t in (COS, SIN))
    return x * cos + rotated_half(x) * sin


def of_gpt_j(x: Array) -> Array:
    neighbours = jnp.stack([-x[..., 1::2], x[..., ::2]], axis=-1).reshape(x.shape)
    return neighbours * SIN.repeat(2, axis=-1) + x * COS.repeat(2, axis=-1)


@pytest.mark.parametrize(
    "function", [rotate, halves_by_index, interleaved, interleaved_by_index, of_llama, of_gpt_j]
)
def test_heads_first(function: Any) -> None:
    model = assert_agrees(function, X)
    assert operators(model) == ["RotaryEmbedding"]


def test_tables_that_are_computed() -> None:
    def function(x: Array, angles: Array) -> Array:
        angles = jnp.concatenate([angles, angles], axis=-1)
        return x * jnp.cos(angles) * 2.0 + rotated_half(x) * jnp.sin(angles) * 2.0

    def plain(x: Array, angles: Array) -> Array:
        angles = jnp.concatenate([angles, angles], axis=-1)
        return x * jnp.cos(angles) + rotated_half(x) * jnp.sin(angles)

    assert operator_counts(assert_agrees(plain, X, ANGLES))["RotaryEmbedding"] == 1
    assert_agrees(function, X, ANGLES)


def doubled_before(x: Array, angles: Array) -> Array:
    angles = jnp.concatenate([angles, angles], axis=-1)
    return x * jnp.cos(angles) + rotated_half(x) * jnp.sin(angles)


def doubled_afterwards(x: Array, angles: Array) -> Array:
    cos, sin = (jnp.concatenate([t, t], axis=-1) for t in (jnp.cos(angles), jnp.sin(angles)))
    return x * cos + rotated_half(x) * sin


def of_keras_hub(x: Array, angles: Array) -> Array:
    a, b = jnp.split(x, 2, axis=-1)
    turned = jnp.stack([-b, a], axis=-2).reshape(x.shape)
    angles = jnp.stack([angles, angles], axis=-2).reshape(1, 1, T, D)
    return x * jnp.cos(angles) + turned * jnp.sin(angles)


def neighbours(x: Array, angles: Array) -> Array:
    angles = jnp.repeat(angles, 2, axis=-1)
    turned = jnp.stack([-x[..., 1::2], x[..., ::2]], axis=-1).reshape(x.shape)
    return turned * jnp.sin(angles) + x * jnp.cos(angles)


@pytest.mark.parametrize("function", [doubled_before, doubled_afterwards, of_keras_hub, neighbours])
def test_tables_of_full_width_are_computed_once(function: Any) -> None:
    model = assert_agrees(function, X, ANGLES)
    counts = operator_counts(model)
    assert counts["RotaryEmbedding"] == 1
    assert (counts["Concat"], counts["Slice"], counts["Cos"]) == (0, 0, 1)


COS_SIN = np.concatenate([np.tile(np.cos(ANGLES), 2), np.tile(np.sin(ANGLES), 2)], axis=-1)


def test_rows_of_a_table_of_the_model() -> None:
    """Flax's Llama keeps sines and cosines in one table, and takes the rows of positions."""

    def function(x: Array, positions: Array) -> Array:
        rows = jnp.asarray(COS_SIN).at[positions].get(mode="clip")
        cos, sin = jnp.split(rows[:, None], 2, axis=-1)
        return x * cos + rotated_half(x) * sin

    positions = np.tile(np.arange(T, dtype=np.int32), (B, 1))
    counts = operator_counts(assert_agrees(function, X, positions))
    assert (counts["RotaryEmbedding"], counts["Gather"]) == (1, 2)


def test_tables_that_are_parameters() -> None:
    class Rotation(eqx.Module):
        cos: Array
        sin: Array

        def __call__(self, x: Array) -> Array:
            return x * self.cos + rotated_half(x) * self.sin

    cos, sin = jnp.split(jnp.asarray(COS_SIN), 2, axis=-1)
    model = assert_agrees(Rotation(cos, sin), X)
    assert operators(model) == ["RotaryEmbedding"]
    model = assert_agrees(Rotation(cos, sin.at[..., -1].mul(2)), X)
    assert operator_counts(model)["RotaryEmbedding"] == 0


def other_halves(x: Array, angles: Array) -> Array:
    angles = jnp.concatenate([angles, 2 * angles], axis=-1)
    return x * jnp.cos(angles) + rotated_half(x) * jnp.sin(angles)


def one_is_doubled(x: Array, angles: Array) -> Array:
    twice, other = (jnp.concatenate([angles, t * angles], axis=-1) for t in (1, 3))
    return x * jnp.cos(twice) + rotated_half(x) * jnp.sin(other)


def tables_of_another_order(x: Array, angles: Array) -> Array:
    """Turn halves with tables whose neighbours are equal."""
    angles = jnp.repeat(angles, 2, axis=-1)
    return x * jnp.cos(angles) + rotated_half(x) * jnp.sin(angles)


def shifted(x: Array, angles: Array) -> Array:
    table = jnp.concatenate([angles, angles, angles], axis=-1)[:, 1 : D + 1]
    return x * jnp.cos(table) + rotated_half(x) * jnp.sin(table)


@pytest.mark.parametrize(
    "function", [other_halves, one_is_doubled, tables_of_another_order, shifted]
)
def test_holds_back_where_the_halves_may_differ(function: Any) -> None:
    model = assert_agrees(function, X, ANGLES)
    assert operator_counts(model)["RotaryEmbedding"] == 0


def test_module_of_equinox() -> None:
    module = eqx.nn.RotaryPositionalEmbedding(D)
    model = assert_agrees(jax.vmap(jax.vmap(module, 1, 1)), BY_TOKEN, specs=[("B", T, H, D)])
    assert operator_counts(model)["RotaryEmbedding"] == 1


def test_tokens_first_is_a_view() -> None:
    model = assert_agrees(by_token, BY_TOKEN)
    assert operators(model) == ["Reshape", "RotaryEmbedding", "Reshape"]


def test_a_transposed_view_is_rotated_before_the_transpose() -> None:
    model = assert_agrees(of_a_view, BY_TOKEN.reshape(B, T, H * D))
    assert operators(model) == ["RotaryEmbedding", "Reshape", "Transpose"]


@pytest.mark.parametrize("specs", [[("B", H, T, D)], [("B", H, "T", D)]])
def test_positions_are_computed_once(specs: Any) -> None:
    model = assert_agrees(lambda x: computed(computed(x)), X, specs=specs)
    counts = operator_counts(model)
    assert counts["RotaryEmbedding"] == 2
    assert counts["Expand"] == 1


def test_angles_of_each_item_of_the_batch() -> None:
    tables = [np.stack([t, 2 * t])[:, None] for t in (COS, SIN)]
    model = assert_agrees(rotate, X, *tables)
    assert operator_counts(model)["RotaryEmbedding"] == 1
    assert len(next(n for n in model.graph.node if n.op_type == "RotaryEmbedding").input) == 3


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(of_a_view), BY_TOKEN.reshape(B, T, H * D))
    assert operator_counts(model)["RotaryEmbedding"] == 1


def test_holds_back_below_opset_23() -> None:
    model = assert_agrees(rotate, X, opset=22)
    assert operator_counts(model)["RotaryEmbedding"] == 0


def other_way(x: Array) -> Array:
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([a * COS + b * SIN, b * COS - a * SIN], axis=-1)


def halves_swapped(x: Array) -> Array:
    b, a = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([a * COS - b * SIN, b * COS + a * SIN], axis=-1)


def pairs_swapped(x: Array) -> Array:
    b, a = x[..., ::2], x[..., 1::2]
    return jnp.stack([a * COS - b * SIN, b * COS + a * SIN], axis=-1).reshape(x.shape)


def pairs_of_another_axis(x: Array) -> Array:
    a, b = (x[:, :, i::2][:, :, :2] for i in (0, 1))
    cos, sin = np.full(D, 0.6, np.float32), np.full(D, 0.8, np.float32)
    return jnp.stack([a * cos - b * sin, b * cos + a * sin], axis=-1)


def uneven_tables(x: Array) -> Array:
    table = np.linspace(0, 1, D, dtype=np.float32)
    return x * table + rotated_half(x) * SIN.repeat(2, axis=-1)


def by_head(x: Array) -> Array:
    scale = jnp.arange(1.0, H + 1)[:, None, None]
    return rotate(x, COS * scale, SIN * scale)


@pytest.mark.parametrize(
    "function",
    [other_way, halves_swapped, by_head, pairs_swapped, pairs_of_another_axis, uneven_tables],
)
def test_holds_back(function: Any) -> None:
    model = assert_agrees(function, X)
    assert operator_counts(model)["RotaryEmbedding"] == 0


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(rotate, X.astype(np.float64), double=True, rtol=1e-10)
    assert operator_counts(model)["RotaryEmbedding"] == 0
