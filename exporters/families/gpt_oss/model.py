"""GPT-OSS in Equinox: token ids to logits, for any batch and any length.

Weights keep the dtype that they are stored in and are cast where they are used; all else is
computed in the dtype of the hidden states, but for norms and softmaxes, which are f32.

B is the batch, T the sequence, H the hidden size, P the positions that a cache holds.
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
    """Rows of a table by token id; only the rows that are used are cast."""

    weight: Array

    def __init__(self, vocabulary: int, hidden: int) -> None:
        self.weight = parameter(vocabulary, hidden)

    def __call__(self, ids: Array, dtype: np.dtype[Any]) -> Array:
        """(...) -> (..., H)."""
        return row(self.weight, ids).astype(dtype)


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

    def __call__(
        self, x: Array, cos: Array, sin: Array, visible: Array, past: Cache | None
    ) -> tuple[Array, Cache]:
        """(B, T, H) -> (B, T, H); the rest is as `Attention` has it."""
        mixed, present = self.attention(self.attention_norm(x), cos, sin, visible, past)
        x = x + mixed
        return x + self.mlp(self.mlp_norm(x)), present


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
        self, config: GptOssConfig, experts: ExpertFormat, dtype: DTypeLike = jnp.float32
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
        states, _ = self.run(input_ids)
        return self.logits(states[-1])

    def run(
        self, input_ids: Array, past: Sequence[Cache] | None = None
    ) -> tuple[list[Array], list[Cache]]:
        """Everything that the layers compute.

        Args:
            input_ids: integer (B, T), each below the size of the vocabulary.
            past: what each layer's attention returned for the P positions before.

        Returns:
            The embeddings, what each layer but the last returns, and the last one's after the norm,
            each (B, T, H); and each layer's keys and values, (B, kv_heads, T + P, head_dim).
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
        """(B, T, H) after the last norm -> f32 (B, T, vocabulary)."""
        return self.head(hidden).astype(jnp.float32)

    def _rotation(self, positions: Array) -> tuple[Array, Array]:
        yarn = self.config.rope
        frequencies = rope.inverse_frequencies(yarn, self.config.head_dim)
        angles = positions.astype(jnp.float32)[:, None] * frequencies
        concentration = rope.concentration(yarn)
        return jnp.cos(angles) * concentration, jnp.sin(angles) * concentration


class CachedGptOss(GptOss):
    """The model on the continuation of sequences whose keys and values it is given."""

    def __call__(  # type: ignore[override]  # more goes in, and more comes out
        self, input_ids: Array, *past: Array
    ) -> tuple[Array, ...]:
        """Logits of the token that follows each position, and the past of the next call.

        Args:
            input_ids: integer (B, T), each below the size of the vocabulary.
            past: keys and values of the first layer, then of the second, ...: each
                (B, kv_heads, P, head_dim), where P is 0 at the beginning.

        Returns:
            f32 (B, T, vocabulary), and what `past` is next, each (B, kv_heads, T + P, head_dim).
        """
        states, present = self.run(input_ids, list(zip(past[0::2], past[1::2], strict=True)))
        return self.logits(states[-1]), *(each for cache in present for each in cache)


def _visible(distance: Array, window: int | None) -> Array:
    """Whether a token sees one that lies so far behind: none ahead, none beyond the window."""
    return distance >= 0 if window is None else (distance >= 0) & (distance < window)
