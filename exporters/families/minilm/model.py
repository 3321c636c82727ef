"""The MiniLM sentence encoder in Equinox: a BERT encoder, mean pooling, unit length.

Tokens are the rows of one matrix, (batch * tokens, hidden), so that a projection is one product.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from exporters.families.minilm.config import MiniLMConfig
from exporters.model.layers import LayerNorm, Linear, attention, merge_heads, parameter, split_heads


class MiniLM(eqx.Module):
    """The model from tokens to sentence vectors."""

    embeddings: Embeddings
    layers: list[Layer]

    def __init__(self, config: MiniLMConfig) -> None:
        self.embeddings = Embeddings(config)
        self.layers = [Layer(config) for _ in range(config.num_hidden_layers)]

    def __call__(
        self, input_ids: Array, attention_mask: Array, token_type_ids: Array
    ) -> tuple[Array, Array]:
        """Return the vectors of sentences and tokens.

        Args:
            input_ids: integer (batch, tokens), each below the size of the vocabulary.
            attention_mask: integer (batch, tokens); 1 marks a token, and 0 padding.
            token_type_ids: integer (batch, tokens); 0 for the first of two texts, 1 for the second.

        Returns:
            The token vectors, f32 (batch, tokens, hidden). And the sentence vectors, f32 (batch,
            hidden): the mean of a sentence's token vectors, scaled to length 1, so that the dot
            product of two is their cosine.
        """
        batch, length = input_ids.shape
        mask = attention_mask.astype(jnp.float32)
        # not -inf, which would turn a row that is all padding into NaN
        bias = ((1 - mask) * np.finfo(np.float32).min)[:, None, None, :]
        tokens = self.embeddings(input_ids, token_type_ids)
        tokens = tokens.reshape(batch * length, tokens.shape[-1])
        for layer in self.layers:
            tokens = layer(tokens, bias)
        tokens = tokens.reshape(batch, length, tokens.shape[-1])
        return tokens, _unit(_mean(tokens, mask))


class Embeddings(eqx.Module):
    """The sum of three vectors for a token: its word, its position, and its text of the two."""

    words: Array
    positions: Array
    types: Array
    norm: LayerNorm

    def __init__(self, config: MiniLMConfig) -> None:
        self.words = parameter(config.vocab_size, config.hidden_size)
        self.positions = parameter(config.max_position_embeddings, config.hidden_size)
        self.types = parameter(config.type_vocab_size, config.hidden_size)
        self.norm = LayerNorm(config.hidden_size, config.layer_norm_eps)

    def __call__(self, input_ids: Array, token_type_ids: Array) -> Array:
        """Map two integer arrays (batch, tokens) to f32 (batch, tokens, hidden)."""
        position = jnp.arange(input_ids.shape[1])
        embedded = _rows(self.words, input_ids) + _rows(self.types, token_type_ids)
        return self.norm(embedded + _rows(self.positions, position))


class Layer(eqx.Module):
    """Attention and an MLP. Each is added to its input, and the sum is normalised."""

    attention: Attention
    attention_norm: LayerNorm
    up: Linear
    down: Linear
    norm: LayerNorm

    def __init__(self, config: MiniLMConfig) -> None:
        self.attention = Attention(config)
        self.attention_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.up = Linear(config.hidden_size, config.intermediate_size)
        self.down = Linear(config.intermediate_size, config.hidden_size)
        self.norm = LayerNorm(config.hidden_size, config.layer_norm_eps)

    def __call__(self, x: Array, bias: Array) -> Array:
        """Map (batch * tokens, hidden) to the same shape; see ``layers.attention`` for ``bias``."""
        x = self.attention_norm(x + self.attention(x, bias))
        return self.norm(x + self.down(jax.nn.gelu(self.up(x), approximate=False)))


class Attention(eqx.Module):
    """Attention of each token to the tokens of its text that the bias does not exclude."""

    query: Linear
    key: Linear
    value: Linear
    output: Linear
    heads: int = eqx.field(static=True)

    def __init__(self, config: MiniLMConfig) -> None:
        size = config.hidden_size
        self.query = Linear(size, size)
        self.key = Linear(size, size)
        self.value = Linear(size, size)
        self.output = Linear(size, size)
        self.heads = config.num_attention_heads

    def __call__(self, x: Array, bias: Array) -> Array:
        """Map (batch * tokens, hidden) to the same shape; ``bias`` is (batch, 1, 1, tokens)."""
        tokens = bias.shape[-1]
        q = split_heads(self.query(x), tokens, self.heads)
        k = split_heads(self.key(x), tokens, self.heads)
        v = split_heads(self.value(x), tokens, self.heads)
        return self.output(merge_heads(attention(q, k, v, bias)))


def _rows(table: Array, ids: Array) -> Array:
    """Return ``table[ids]`` as float32. The ids of the model's own tokenizer are in range."""
    rows = table.at[ids].get(mode="promise_in_bounds", wrap_negative_indices=False)
    return rows.astype(jnp.float32)


def _mean(tokens: Array, mask: Array) -> Array:
    """Return the mean of tokens (batch, tokens, hidden) whose mask (batch, tokens) is 1."""
    total = jnp.sum(tokens * mask[:, :, None], axis=1)
    return total / jnp.maximum(jnp.sum(mask, axis=1, keepdims=True), np.float32(1e-9))


def _unit(x: Array) -> Array:
    """Scale the last axis to length 1; zeros stay zeros."""
    length = jnp.sqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=True))
    return x / lax.max(length, np.float32(1e-12))
