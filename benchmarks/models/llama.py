"""One decoding step of a Llama-style model in Equinox, with the keys and values of the past."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

LAYERS, WIDTH, HEADS, KV_HEADS, HEAD, INSIDE, TOKENS, PAST = 4, 1024, 16, 4, 64, 2816, 32000, 255


def _rotated(x: Array, angles: Array) -> Array:
    """Rotate f32 (batch, heads, 1, head) by angles (batch, 1, 1, head / 2)."""
    a, b = jnp.split(x, 2, axis=-1)
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


class RMSNorm(eqx.Module):
    """Scale to a root mean square of 1, and by a weight for each feature."""

    weight: Array

    def __call__(self, x: Array) -> Array:
        """Map f32 (..., features) to the same shape."""
        return self.weight * (x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-5))


class Layer(eqx.Module):
    """Attention to the past and to the new token, and a gated MLP."""

    norm1: RMSNorm
    norm2: RMSNorm
    q: Array
    k: Array
    v: Array
    o: Array
    gate: Array
    up: Array
    down: Array

    def __init__(self, *, key: Array) -> None:
        keys = iter(jax.random.split(key, 7))

        def weight(inputs: int, outputs: int) -> Array:
            return 0.02 * jax.random.normal(next(keys), (inputs, outputs))

        self.norm1, self.norm2 = RMSNorm(jnp.ones(WIDTH)), RMSNorm(jnp.ones(WIDTH))
        self.q, self.o = weight(WIDTH, HEADS * HEAD), weight(HEADS * HEAD, WIDTH)
        self.k, self.v = weight(WIDTH, KV_HEADS * HEAD), weight(WIDTH, KV_HEADS * HEAD)
        self.gate, self.up = weight(WIDTH, INSIDE), weight(WIDTH, INSIDE)
        self.down = weight(INSIDE, WIDTH)

    def __call__(
        self, x: Array, angles: Array, keys: Array, values: Array
    ) -> tuple[Array, Array, Array]:
        """Map f32 (batch, 1, width) and a cache (batch, kv heads, past, head) to both, longer."""
        normal = self.norm1(x)
        q, k, v = (
            (normal @ w).reshape(x.shape[0], 1, -1, HEAD).swapaxes(1, 2)
            for w in (self.q, self.k, self.v)
        )
        keys = jnp.concatenate([keys, _rotated(k, angles)], axis=2)
        values = jnp.concatenate([values, v], axis=2)
        shared = (jnp.repeat(part, HEADS // KV_HEADS, axis=1) for part in (keys, values))
        every_key, every_value = shared
        scores = _rotated(q, angles) @ every_key.swapaxes(2, 3) / jnp.sqrt(jnp.float32(HEAD))
        mixed = jax.nn.softmax(scores, axis=-1) @ every_value
        x = x + mixed.swapaxes(1, 2).reshape(x.shape[0], 1, -1) @ self.o
        normal = self.norm2(x)
        x = x + (jax.nn.silu(normal @ self.gate) * (normal @ self.up)) @ self.down
        return x, keys, values


class Llama(eqx.Module):
    """A model that maps a token and the past to the logits of the next token and the new past."""

    embedding: Array
    layers: tuple[Layer, ...]
    norm: RMSNorm
    head: Array

    def __call__(self, tokens: Array, positions: Array, *past: Array) -> tuple[Array, ...]:
        """Map integers (batch, 1), and keys and values of each layer, to f32 logits and those."""
        powers = 10000.0 ** (-jnp.arange(HEAD // 2, dtype=jnp.float32) * 2 / HEAD)
        angles = positions[:, None, :, None].astype(jnp.float32) * powers
        x, present = self.embedding[tokens], []
        for number, layer in enumerate(self.layers):
            x, keys, values = layer(x, angles, *past[2 * number : 2 * number + 2])
            present += [keys, values]
        return (self.norm(x) @ self.head, *present)


def build() -> Llama:
    """Return the model with random weights."""
    keys = jax.random.split(jax.random.key(0), LAYERS + 2)
    return Llama(
        0.02 * jax.random.normal(keys[0], (TOKENS, WIDTH)),
        tuple(Layer(key=key) for key in keys[2:]),
        RMSNorm(jnp.ones(WIDTH)),
        0.02 * jax.random.normal(keys[1], (WIDTH, TOKENS)),
    )
