"""GPT-OSS in Equinox, from token ids to logits, for any batch and any length.

Weights keep the dtype that they are stored in and are cast where they are used. The computation is
in the dtype of the hidden states, except norms and softmaxes, which are f32.

In shapes, B is the batch, T the length of the sequence, H the hidden size, and P the number of
positions in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import equinox as eqx
import jax
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


@dataclass(frozen=True)
class Interface:
    """The inputs and outputs that a model has besides token ids, attention mask and logits.

    Attributes:
        cache: whether it continues sequences with a cache of their keys and values.
        position_ids: whether it takes the positions of the tokens, which it otherwise counts.
        logits: whether it returns logits for all positions, or for the last one that is not masked.
    """

    cache: bool = False
    position_ids: bool = False
    logits: Literal["all", "last"] = "all"


WHOLE = Interface()
"""Whole sequences in one call."""


class GptOss(eqx.Module):
    """The whole model.

    Args:
        config: the sizes and constants.
        experts: the format of the experts in the checkpoint.
        interface: the inputs and outputs of a call.
        dtype: the dtype of the computation.
    """

    embedding: Embedding
    layers: tuple[Block, ...]
    norm: RMSNorm
    head: Linear
    config: GptOssConfig = eqx.field(static=True)
    interface: Interface = eqx.field(static=True)
    dtype: np.dtype[Any] = eqx.field(static=True)

    def __init__(
        self,
        config: GptOssConfig,
        experts: ExpertFormat,
        interface: Interface,
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        self.embedding = Embedding(config.vocabulary, config.hidden)
        self.layers = tuple(Block(config, experts) for _ in range(config.layers))
        self.norm = RMSNorm(config.hidden, config.epsilon)
        self.head = Linear(config.hidden, config.vocabulary, bias=False)
        self.config = config
        self.interface = interface
        self.dtype = np.dtype(dtype)

    def __call__(
        self, input_ids: Array, attention_mask: Array, *others: Array
    ) -> tuple[Array, ...]:
        """Return the logits of the token that follows each position, and the next cache.

        Args:
            input_ids: integer (B, T), each below the size of the vocabulary.
            attention_mask: integer (B, P + T), 1 for the positions that count, and 0 for padding,
                which may be anywhere.
            others: the ``position_ids``, integer (B, T), and then the keys and values of the first
                layer, of the second, ..., each (B, kv_heads, P, head_dim), where P is 0 at the
                beginning; both only if the interface has them.

        Returns:
            The logits, f32 (B, T, vocabulary) or (B, 1, vocabulary), and, with a cache, the keys
            and values for the next call, each (B, kv_heads, P + T, head_dim).
        """
        positions, past = None, None
        if self.interface.position_ids:
            positions, others = others[0], others[1:]
        if self.interface.cache:
            past = list(zip(others[0::2], others[1::2], strict=True))
        states, present = self.run(input_ids, attention_mask, positions, past)
        last = states[-1]
        if self.interface.logits == "last":
            last = _last(last, attention_mask)
        logits = self.head(last).astype(jnp.float32)
        return logits, *(each for cache in present if self.interface.cache for each in cache)

    def run(
        self,
        input_ids: Array,
        attention_mask: Array,
        position_ids: Array | None = None,
        past: Sequence[Cache] | None = None,
    ) -> tuple[list[Array], list[Cache]]:
        """Run the layers and return all hidden states.

        Args:
            input_ids: integer (B, T), each below the size of the vocabulary.
            attention_mask: integer (B, P + T), 0 for padding and 1 for the other positions.
            position_ids: integer (B, T); by default, tokens that are not padding are counted.
            past: the cache of each layer for the P positions before.

        Returns:
            The hidden states, each (B, T, H): the embeddings, the output of each layer but the
            last, and the normalised output of the last. And the cache of each layer, whose keys and
            values are (B, kv_heads, P + T, head_dim).
        """
        before = 0 if past is None else past[0][0].shape[2]
        counted = jnp.cumsum(attention_mask.astype(jnp.int32), axis=1) - 1
        here = lax.slice_in_dim(counted, before, None, axis=1)
        cos, sin = self._rotation(here if position_ids is None else position_ids)
        distance = here[:, None, :, None] - counted[:, None, None, :]
        valid = (attention_mask != 0)[:, None, None, :]
        visible = {w: valid & _within(distance, w) for w in dict.fromkeys(self.config.windows)}
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

    def _rotation(self, positions: Array) -> tuple[Array, Array]:
        """Return the cosines and sines of all positions (B, T), f32 (B, 1, T, head_dim / 2)."""
        yarn = self.config.rope
        frequencies = rope.inverse_frequencies(yarn, self.config.head_dim)
        angles = positions.astype(jnp.float32)[:, None, :, None] * frequencies
        concentration = rope.concentration(yarn)
        return jnp.cos(angles) * concentration, jnp.sin(angles) * concentration


def _within(distance: Array, window: int | None) -> Array:
    """Return whether a token sees another one at a distance behind it, given the window."""
    return distance >= 0 if window is None else (distance >= 0) & (distance < window)


def _last(states: Array, attention_mask: Array) -> Array:
    """Return the states (B, 1, H) of the last position of each sequence that is not padding."""
    length = states.shape[1]
    mask = lax.slice_in_dim(attention_mask, attention_mask.shape[1] - length, None, axis=1)
    numbers = jnp.arange(length, dtype=jnp.int32)
    index = jnp.max(jnp.where(mask != 0, numbers, 0), axis=1)
    return jax.vmap(lambda sequence, i: row(sequence, i)[None])(states, index)
