"""GPT-OSS in Equinox, from token ids to logits, for any batch and any length.

Weights keep the dtype that they are stored in and are cast where they are used. The computation is
in the dtype of the hidden states, except norms and softmaxes, which are f32.

In shapes, B is the batch, T the length of the sequence, H the hidden size, and P the number of
positions in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import DTypeLike

from exporters.families.gpt_oss import rope
from exporters.families.gpt_oss.attention import Attention, Cache
from exporters.families.gpt_oss.config import GptOssConfig
from exporters.families.gpt_oss.experts import ExpertFormat, MixtureOfExperts, row
from exporters.model.layers import Linear, parameter


class Embedding(eqx.Module):
    """A table of rows by token id. Only the rows that are used are cast."""

    weight: Array

    def __init__(self, vocabulary: int, hidden: int) -> None:
        self.weight = parameter(vocabulary, hidden)

    def __call__(self, ids: Array, dtype: np.dtype[Any]) -> Array:
        """Map (...) to (..., H)."""
        return row(self.weight, ids).astype(dtype)


class RMSNorm(eqx.Module):
    """A norm that scales each row to a mean square of one and multiplies by the weight, in f32."""

    weight: Array
    epsilon: float = eqx.field(static=True)

    def __init__(self, hidden: int, epsilon: float) -> None:
        self.weight = parameter(hidden)
        self.epsilon = epsilon

    def __call__(self, x: Array) -> Array:
        """Map (..., H) to (..., H)."""
        wide = x.astype(jnp.float32)
        mean_square = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
        normal = wide * lax.rsqrt(mean_square + self.epsilon)
        return (normal * self.weight.astype(jnp.float32)).astype(x.dtype)


class Block(eqx.Module):
    """A layer: attention and experts, each added to its input, which it takes normalised."""

    attention_norm: RMSNorm
    attention: Attention
    mlp_norm: RMSNorm
    mlp: MixtureOfExperts

    def __init__(self, config: GptOssConfig, experts: ExpertFormat) -> None:
        self.attention_norm = RMSNorm(config.hidden, config.epsilon)
        self.attention = Attention(config)
        self.mlp_norm = RMSNorm(config.hidden, config.epsilon)
        self.mlp = MixtureOfExperts(config, experts)

    def __call__(
        self, x: Array, cos: Array, sin: Array, visible: Array, past: Cache | None
    ) -> tuple[Array, Cache]:
        """Map (B, T, H) to (B, T, H); see ``Attention`` for the other arguments."""
        mixed, present = self.attention(self.attention_norm(x), cos, sin, visible, past)
        x = x + mixed
        return x + self.mlp(self.mlp_norm(x)), present


class GptOss(eqx.Module):
    """The whole model.

    Args:
        config: the sizes and constants.
        experts: the format of the experts in the checkpoint.
        dtype: the dtype of the computation.
    """

    embedding: Embedding
    layers: tuple[Block, ...]
    norm: RMSNorm
    head: Linear
    config: GptOssConfig = eqx.field(static=True)
    dtype: np.dtype[Any] = eqx.field(static=True)

    def __init__(
        self, config: GptOssConfig, experts: ExpertFormat, dtype: DTypeLike = jnp.float32
    ) -> None:
        self.embedding = Embedding(config.vocabulary, config.hidden)
        self.layers = tuple(Block(config, experts) for _ in range(config.layers))
        self.norm = RMSNorm(config.hidden, config.epsilon)
        self.head = Linear(config.hidden, config.vocabulary, bias=False)
        self.config = config
        self.dtype = np.dtype(dtype)

    def __call__(self, input_ids: Array) -> Array:
        """Return the logits of the token that follows each position.

        Args:
            input_ids: integer (B, T), each below the size of the vocabulary.

        Returns:
            f32 (B, T, vocabulary).
        """
        states, _ = self.run(input_ids)
        return self.logits(states[-1])

    def run(
        self, input_ids: Array, past: Sequence[Cache] | None = None
    ) -> tuple[list[Array], list[Cache]]:
        """Run the layers and return all hidden states.

        Args:
            input_ids: integer (B, T), each below the size of the vocabulary.
            past: the cache of each layer for the P positions before.

        Returns:
            The hidden states, each (B, T, H): the embeddings, the output of each layer but the
            last, and the normalised output of the last. And the cache of each layer, whose keys and
            values are (B, kv_heads, T + P, head_dim).
        """
        before = 0 if past is None else past[0][0].shape[2]
        everywhere = jnp.arange(before + input_ids.shape[1], dtype=jnp.int32)
        here = lax.slice_in_dim(everywhere, before, None)
        cos, sin = self._rotation(here)
        distance = here[:, None] - everywhere[None, :]
        visible = {each: _visible(distance, each) for each in dict.fromkeys(self.config.windows)}
        states, present = [self.embedding(input_ids, self.dtype)], []
        for number, (layer, window) in enumerate(
            zip(self.layers, self.config.windows, strict=True)
        ):
            cache = None if past is None else past[number]
            state, kept = layer(states[-1], cos, sin, visible[window], cache)
            states.append(state)
            present.append(kept)
        states[-1] = self.norm(states[-1])
        return states, present

    def logits(self, hidden: Array) -> Array:
        """Map the last hidden state, (B, T, H), to logits, f32 (B, T, vocabulary)."""
        return self.head(hidden).astype(jnp.float32)

    def _rotation(self, positions: Array) -> tuple[Array, Array]:
        yarn = self.config.rope
        frequencies = rope.inverse_frequencies(yarn, self.config.head_dim)
        angles = positions.astype(jnp.float32)[:, None] * frequencies
        concentration = rope.concentration(yarn)
        return jnp.cos(angles) * concentration, jnp.sin(angles) * concentration


class CachedGptOss(GptOss):
    """The model that continues sequences with a cache of their keys and values."""

    def __call__(  # type: ignore[override]  # more arguments, more results
        self, input_ids: Array, *past: Array
    ) -> tuple[Array, ...]:
        """Return the logits of the token that follows each position, and the next cache.

        Args:
            input_ids: integer (B, T), each below the size of the vocabulary.
            past: keys and values of the first layer, then of the second, ...: each
                (B, kv_heads, P, head_dim), where P is 0 at the beginning.

        Returns:
            The logits, f32 (B, T, vocabulary), and the next ``past``, each
            (B, kv_heads, T + P, head_dim).
        """
        states, present = self.run(input_ids, list(zip(past[0::2], past[1::2], strict=True)))
        return self.logits(states[-1]), *(each for cache in present for each in cache)


def _visible(distance: Array, window: int | None) -> Array:
    """Return whether a token sees another one at a distance behind it, given the window."""
    return distance >= 0 if window is None else (distance >= 0) & (distance < window)
