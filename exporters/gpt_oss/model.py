"""GPT-OSS in Equinox: token ids to logits, for any batch and any length.

Weights keep the dtype that they are stored in and are cast where they are used; all else is
computed in the dtype of the hidden states, but for norms and softmaxes, which are f32.

B is the batch, T the sequence, H the hidden size, E the number of experts.
"""

from __future__ import annotations

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from exporters.gpt_oss import mxfp4, rope
from exporters.gpt_oss.config import GptOssConfig
from exporters.layers import Linear, parameter

ExpertFormat = Literal["mxfp4", "dense"]

_LONGEST_RUN = 256
"""Rows for one expert at a time: decoding its weights costs as much as some 300 rows on a CPU."""


class Embedding(eqx.Module):
    """Rows of a table by token id; only the rows that are used are cast."""

    weight: Array

    def __init__(self, vocabulary: int, hidden: int) -> None:
        self.weight = parameter(vocabulary, hidden)

    def __call__(self, ids: Array, dtype: np.dtype[Any]) -> Array:
        """(...) -> (..., H)."""
        return _row(self.weight, ids).astype(dtype)


class RMSNorm(eqx.Module):
    """Scales each row to a mean square of one, then by the weight; in f32."""

    weight: Array
    epsilon: float = eqx.field(static=True)

    def __init__(self, hidden: int, epsilon: float) -> None:
        self.weight = parameter(hidden)
        self.epsilon = epsilon

    def __call__(self, x: Array) -> Array:
        """(..., H) -> (..., H)."""
        wide = x.astype(jnp.float32)
        mean_square = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
        normal = wide * lax.rsqrt(mean_square + self.epsilon)
        return (normal * self.weight.astype(jnp.float32)).astype(x.dtype)


class Attention(eqx.Module):
    """Grouped-query attention, where each head has a sink that takes a share of every softmax."""

    q: Linear
    k: Linear
    v: Linear
    o: Linear
    sinks: Array
    head_dim: int = eqx.field(static=True)

    def __init__(self, config: GptOssConfig) -> None:
        queries = config.heads * config.head_dim
        keys = config.kv_heads * config.head_dim
        self.q = Linear(config.hidden, queries)
        self.k = Linear(config.hidden, keys)
        self.v = Linear(config.hidden, keys)
        self.o = Linear(queries, config.hidden)
        self.sinks = parameter(config.heads)
        self.head_dim = config.head_dim

    def __call__(self, x: Array, cos: Array, sin: Array, visible: Array) -> Array:
        """Attends within the sequence.

        Args:
            x: (B, T, H).
            cos: f32 (T, head_dim / 2), of each position's angles.
            sin: likewise.
            visible: bool (T, T), whether a query (row) sees a key (column).
        """
        q = _rotate(self._heads(self.q(x)), cos, sin) * self.head_dim**-0.5
        k = _rotate(self._heads(self.k(x)), cos, sin)
        v = self._heads(self.v(x))
        batch, kv_heads, length, _ = k.shape
        # The queries that share a key are rows of one matrix, so that keys are never repeated.
        rows = (batch, kv_heads, q.shape[1] // kv_heads * length)
        scores = q.reshape(*rows, self.head_dim) @ k.swapaxes(2, 3)
        shares = self._softmax(scores.reshape(batch, -1, length, length), visible)
        # The sink is one more key, whose value is zero.
        values = jnp.pad(v, ((0, 0), (0, 0), (0, 1), (0, 0)))
        mixed = shares.reshape(*rows, length + 1) @ values
        mixed = mixed.reshape(batch, -1, length, self.head_dim)
        return self.o(mixed.swapaxes(1, 2).reshape(batch, length, -1))

    def _heads(self, x: Array) -> Array:
        """(B, T, heads * head_dim) -> (B, heads, T, head_dim)."""
        return x.reshape(*x.shape[:2], -1, self.head_dim).swapaxes(1, 2)

    def _softmax(self, scores: Array, visible: Array) -> Array:
        """Over the keys and the sink: (B, heads, T, T) -> (B, heads, T, T + 1)."""
        seen = jnp.where(visible, scores.astype(jnp.float32), -jnp.inf)
        sinks = self.sinks.astype(jnp.float32)[:, None, None]
        column = jnp.broadcast_to(sinks, (*scores.shape[:3], 1))
        shares = jax.nn.softmax(jnp.concatenate([seen, column], axis=-1), axis=-1)
        return shares.astype(scores.dtype)


class DenseExperts(eqx.Module):
    """One linear map an expert, where weight is (E, in, out)."""

    weight: Array
    bias: Array

    def __init__(self, experts: int, inputs: int, outputs: int) -> None:
        self.weight = parameter(experts, inputs, outputs)
        self.bias = parameter(experts, outputs)

    def __call__(self, expert: Array, x: Array) -> Array:
        """What the expert of that number makes of x: (..., in) -> (..., out)."""
        weight = _row(self.weight, expert).astype(x.dtype)
        return x @ weight + _row(self.bias, expert).astype(x.dtype)


class Mxfp4Experts(eqx.Module):
    """One linear map an expert, its (out, in) weight packed in MXFP4 along the inputs."""

    blocks: Array
    scales: Array
    bias: Array

    def __init__(self, experts: int, inputs: int, outputs: int) -> None:
        blocks = inputs // mxfp4.BLOCK
        self.blocks = parameter(experts, outputs, blocks, mxfp4.BLOCK // 2, dtype=jnp.uint8)
        self.scales = parameter(experts, outputs, blocks, dtype=jnp.uint8)
        self.bias = parameter(experts, outputs)

    def __call__(self, expert: Array, x: Array) -> Array:
        """What the expert of that number makes of x: (..., in) -> (..., out)."""
        weight = mxfp4.decode(_row(self.blocks, expert), _row(self.scales, expert))
        return x @ weight.astype(x.dtype).T + _row(self.bias, expert).astype(x.dtype)


class MixtureOfExperts(eqx.Module):
    """Sends each token to the few experts that its router scores highest."""

    router: Linear
    gate_up: DenseExperts | Mxfp4Experts
    down: DenseExperts | Mxfp4Experts
    experts: int = eqx.field(static=True)
    experts_per_token: int = eqx.field(static=True)
    limit: float = eqx.field(static=True)
    alpha: float = eqx.field(static=True)

    def __init__(self, config: GptOssConfig, experts: ExpertFormat) -> None:
        kind: type[DenseExperts | Mxfp4Experts]
        kind = Mxfp4Experts if experts == "mxfp4" else DenseExperts
        self.router = Linear(config.hidden, config.experts)
        self.gate_up = kind(config.experts, config.hidden, 2 * config.intermediate)
        self.down = kind(config.experts, config.intermediate, config.hidden)
        self.experts = config.experts
        self.experts_per_token = config.experts_per_token
        self.limit = config.limit
        self.alpha = config.alpha

    def __call__(self, x: Array) -> Array:
        """(B, T, H) -> (B, T, H)."""
        tokens = x.reshape(-1, x.shape[-1])
        chosen, shares = self.route(tokens)
        parts = self._apply(tokens, chosen)
        return jnp.sum(parts * shares[..., None], axis=1).reshape(x.shape)

    def route(self, tokens: Array) -> tuple[Array, Array]:
        """The experts of each of N tokens, (N, H), and their shares in it, which sum to one.

        Returns:
            int32 (N, experts_per_token), and the dtype of the tokens (N, experts_per_token).
        """
        scores, chosen = lax.top_k(self.router(tokens).astype(jnp.float32), self.experts_per_token)
        return chosen, jax.nn.softmax(scores, axis=-1).astype(tokens.dtype)

    def _apply(self, tokens: Array, chosen: Array) -> Array:
        """What each chosen expert makes of its token: (N, H), (N, K) -> (N, K, H).

        Pairs of a token and an expert are sorted by expert, and a loop takes the pairs of one
        expert at a time. So no weights are touched of an expert that none chose, those of the
        others are decoded about once, and one expert's at a time. Every run has equally many rows:
        what lies past its end comes out wrong, and the next run writes over it.
        """
        count, each = chosen.shape
        pairs, rows = count * each, jax.core.min_dim(count, _LONGEST_RUN)
        experts = chosen.reshape(-1)
        order = jnp.argsort(experts)
        numbers = jnp.arange(self.experts, dtype=experts.dtype)
        ends = jnp.sum(experts[:, None] <= numbers, axis=0, dtype=order.dtype)
        past_the_end = jnp.zeros((rows,), order.dtype)
        in_order = jnp.concatenate([lax.div(order, jnp.asarray(each, order.dtype)), past_the_end])
        experts_in_order = _row(experts, order)

        def run(state: tuple[Array, Array]) -> tuple[Array, Array]:
            start, parts = state
            expert = _row(experts_in_order, start)
            taken = lax.dynamic_slice_in_dim(in_order, start, rows, allow_negative_indices=False)
            made = self._expert(expert, _row(tokens, taken))
            parts = lax.dynamic_update_slice_in_dim(
                parts, made, start, axis=0, allow_negative_indices=False
            )
            return jnp.minimum(start + rows, _row(ends, expert)), parts

        none = jnp.zeros((pairs + rows, tokens.shape[1]), tokens.dtype)
        start = jnp.zeros((), order.dtype)
        _, parts = lax.while_loop(lambda state: state[0] < pairs, run, (start, none))
        return _row(parts, jnp.argsort(order)).reshape(count, each, -1)

    def _expert(self, expert: Array, x: Array) -> Array:
        pairs = self.gate_up(expert, x)
        gate = jnp.minimum(lax.slice_in_dim(pairs, 0, None, stride=2, axis=-1), self.limit)
        up = lax.slice_in_dim(pairs, 1, None, stride=2, axis=-1)
        up = jnp.clip(up, -self.limit, self.limit)
        return self.down(expert, gate * jax.nn.sigmoid(self.alpha * gate) * (up + 1))


class Block(eqx.Module):
    """One layer: attention, then experts, each on a normalised copy of what it adds to."""

    attention_norm: RMSNorm
    attention: Attention
    mlp_norm: RMSNorm
    mlp: MixtureOfExperts

    def __init__(self, config: GptOssConfig, experts: ExpertFormat) -> None:
        self.attention_norm = RMSNorm(config.hidden, config.epsilon)
        self.attention = Attention(config)
        self.mlp_norm = RMSNorm(config.hidden, config.epsilon)
        self.mlp = MixtureOfExperts(config, experts)

    def __call__(self, x: Array, cos: Array, sin: Array, visible: Array) -> Array:
        """(B, T, H) -> (B, T, H); the rest is as `Attention` has it."""
        x = x + self.attention(self.attention_norm(x), cos, sin, visible)
        return x + self.mlp(self.mlp_norm(x))


class GptOss(eqx.Module):
    """The whole model.

    `experts` says how the checkpoint holds the experts; `dtype` is what is computed in.
    """

    embedding: Embedding
    layers: tuple[Block, ...]
    norm: RMSNorm
    head: Linear
    config: GptOssConfig = eqx.field(static=True)
    dtype: np.dtype[Any] = eqx.field(static=True)

    def __init__(
        self, config: GptOssConfig, experts: ExpertFormat, dtype: np.dtype[Any] = jnp.float32
    ) -> None:
        self.embedding = Embedding(config.vocabulary, config.hidden)
        self.layers = tuple(Block(config, experts) for _ in range(config.layers))
        self.norm = RMSNorm(config.hidden, config.epsilon)
        self.head = Linear(config.hidden, config.vocabulary, bias=False)
        self.config = config
        self.dtype = np.dtype(dtype)

    def __call__(self, input_ids: Array) -> Array:
        """Logits of the token that follows each position.

        Args:
            input_ids: integer (B, T), each below the size of the vocabulary.

        Returns:
            f32 (B, T, vocabulary).
        """
        hidden = self.hidden_states(input_ids)[-1]
        return self.head(hidden).astype(jnp.float32)

    def hidden_states(self, input_ids: Array) -> list[Array]:
        """The embeddings, what each layer but the last returns, and the last one's after the norm.

        Args:
            input_ids: integer (B, T).

        Returns:
            As many as there are layers, and one more; each (B, T, H).
        """
        positions = jnp.arange(input_ids.shape[1], dtype=jnp.int32)
        cos, sin = self._rotation(positions)
        visible = {w: _visible(positions, w) for w in dict.fromkeys(self.config.windows)}
        states = [self.embedding(input_ids, self.dtype)]
        for layer, window in zip(self.layers, self.config.windows, strict=True):
            states.append(layer(states[-1], cos, sin, visible[window]))
        states[-1] = self.norm(states[-1])
        return states

    def _rotation(self, positions: Array) -> tuple[Array, Array]:
        yarn = self.config.rope
        frequencies = rope.inverse_frequencies(yarn, self.config.head_dim)
        angles = positions.astype(jnp.float32)[:, None] * frequencies
        concentration = rope.concentration(yarn)
        return jnp.cos(angles) * concentration, jnp.sin(angles) * concentration


def _visible(positions: Array, window: int | None) -> Array:
    """Whether each position (row) sees each other (column): none ahead, none beyond the window."""
    distance = positions[:, None] - positions[None, :]
    return distance >= 0 if window is None else (distance >= 0) & (distance < window)


def _rotate(x: Array, cos: Array, sin: Array) -> Array:
    """Turns the first half of the last axis against the second; x is (B, heads, T, head_dim)."""
    first, second = jnp.split(x, 2, axis=-1)
    cos, sin = cos.astype(x.dtype), sin.astype(x.dtype)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def _row(table: Array, index: Array) -> Array:
    """Rows by index, each of which must be within the table: one gather, without a bounds check."""
    return table.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)
