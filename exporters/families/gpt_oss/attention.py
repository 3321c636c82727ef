"""Grouped-query attention with sinks and rotary embeddings.

In shapes, B is the batch, T the length of the sequence, and S the number of positions that it can
attend to: those in the cache and its own.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from exporters.families.gpt_oss.config import GptOssConfig
from exporters.model.layers import Linear, parameter

Cache = tuple[Array, Array]
"""The rotated keys and the values of all positions so far, each (B, kv_heads, S, head_dim)."""


class Attention(eqx.Module):
    """Grouped-query attention. Each head has a sink, which takes part in every softmax."""

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

    def __call__(
        self, x: Array, cos: Array, sin: Array, visible: Array, past: Cache | None = None
    ) -> tuple[Array, Cache]:
        """Attend to the positions in the cache and to the sequence itself.

        Args:
            x: the sequence, (B, T, H).
            cos: the cosines of each position's angles, f32 (B, 1, T, head_dim / 2).
            sin: the sines of the same angles.
            visible: whether a query (row) sees a key (column), bool (B, 1, T, S).
            past: the cache that an earlier call returned.

        Returns:
            The new sequence, (B, T, H), and the cache for the next call.
        """
        q = _rotate(self._heads(self.q(x)), cos, sin) * self.head_dim**-0.5
        k = _rotate(self._heads(self.k(x)), cos, sin)
        v = self._heads(self.v(x))
        if past is not None:
            k = jnp.concatenate([past[0], k], axis=2)
            v = jnp.concatenate([past[1], v], axis=2)
        batch, heads, length, _ = q.shape
        _, kv_heads, seen, _ = k.shape
        # Queries that share a key become rows of one matrix, so that keys are not repeated.
        rows = (batch, kv_heads, heads // kv_heads * length)
        scores = q.reshape(*rows, self.head_dim) @ k.swapaxes(2, 3)
        shares = self._softmax(scores.reshape(batch, heads, length, seen), visible)
        # The sink is one more key, whose value is zero.
        values = jnp.pad(v, ((0, 0), (0, 0), (0, 1), (0, 0)))
        mixed = shares.reshape(*rows, seen + 1) @ values
        mixed = mixed.reshape(batch, heads, length, self.head_dim)
        return self.o(mixed.swapaxes(1, 2).reshape(batch, length, -1)), (k, v)

    def _heads(self, x: Array) -> Array:
        """Map (B, T, heads * head_dim) to (B, heads, T, head_dim)."""
        return x.reshape(*x.shape[:2], -1, self.head_dim).swapaxes(1, 2)

    def _softmax(self, scores: Array, visible: Array) -> Array:
        """Return the softmax over keys and sink: (B, heads, T, S) becomes (B, heads, T, S + 1)."""
        seen = jnp.where(visible, scores.astype(jnp.float32), -jnp.inf)
        sinks = self.sinks.astype(jnp.float32)[:, None, None]
        column = jnp.broadcast_to(sinks, (*scores.shape[:3], 1))
        shares = jax.nn.softmax(jnp.concatenate([seen, column], axis=-1), axis=-1)
        return shares.astype(scores.dtype)


def _rotate(x: Array, cos: Array, sin: Array) -> Array:
    """Turn the first half of the last axis of x (B, heads, T, head_dim) against the second."""
    first, second = jnp.split(x, 2, axis=-1)
    cos, sin = cos.astype(x.dtype), sin.astype(x.dtype)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
