"""Grouped-query attention with sinks and rotary embeddings.

In shapes, B is the batch, T the length of the sequence, and S the number of positions that it can
attend to: those in the cache and its own.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

Cache = tuple[Array, Array]
"""The rotated keys and the values of all positions so far, each (B, kv_heads, S, head_dim)."""


def attend(
    q: Array,
    k: Array,
    v: Array,
    sinks: Array,
    rotation: tuple[Array, Array],
    visible: Array,
    past: Cache | None,
) -> tuple[Array, Cache]:
    """Attend to the positions in the cache and to the sequence itself.

    Args:
        q: the queries, (B, T, heads * head_dim).
        k: the keys, (B, T, kv_heads * head_dim).
        v: the values, of the same shape as the keys.
        sinks: a score of each head that takes part in every softmax, (heads,).
        rotation: the cosines and the sines of each position's angles, f32
            (B, 1, T, head_dim / 2).
        visible: whether a query (row) sees a key (column), bool (B, 1, T, S).
        past: the cache that an earlier call returned.

    Returns:
        The mixed values, (B, T, heads * head_dim), and the cache for the next call.
    """
    head_dim = 2 * rotation[0].shape[-1]
    q = _rotate(_heads(q, head_dim), *rotation) * head_dim**-0.5
    k = _rotate(_heads(k, head_dim), *rotation)
    v = _heads(v, head_dim)
    if past is not None:
        k = jnp.concatenate([past[0], k], axis=2)
        v = jnp.concatenate([past[1], v], axis=2)
    batch, heads, length, _ = q.shape
    _, kv_heads, seen, _ = k.shape
    # Queries that share a key become rows of one matrix, so that keys are not repeated.
    rows = (batch, kv_heads, heads // kv_heads * length)
    scores = q.reshape(*rows, head_dim) @ k.swapaxes(2, 3)
    shares = _softmax(scores.reshape(batch, heads, length, seen), sinks, visible)
    # The sink is one more key, whose value is zero.
    values = jnp.pad(v, ((0, 0), (0, 0), (0, 1), (0, 0)))
    mixed = shares.reshape(*rows, seen + 1) @ values
    mixed = mixed.reshape(batch, heads, length, head_dim)
    return mixed.swapaxes(1, 2).reshape(batch, length, -1), (k, v)


def _heads(x: Array, head_dim: int) -> Array:
    """Map (B, T, heads * head_dim) to (B, heads, T, head_dim)."""
    return x.reshape(*x.shape[:2], -1, head_dim).swapaxes(1, 2)


def _softmax(scores: Array, sinks: Array, visible: Array) -> Array:
    """Return the softmax over keys and sink: (B, heads, T, S) becomes (B, heads, T, S + 1)."""
    seen = jnp.where(visible, scores.astype(jnp.float32), -jnp.inf)
    columns = sinks.astype(jnp.float32)[:, None, None]
    columns = jnp.broadcast_to(columns, (*scores.shape[:3], 1))
    shares = jax.nn.softmax(jnp.concatenate([seen, columns], axis=-1), axis=-1)
    return shares.astype(scores.dtype)


def _rotate(x: Array, cos: Array, sin: Array) -> Array:
    """Turn the first half of the last axis of x (B, heads, T, head_dim) against the second."""
    first, second = jnp.split(x, 2, axis=-1)
    cos, sin = cos.astype(x.dtype), sin.astype(x.dtype)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
