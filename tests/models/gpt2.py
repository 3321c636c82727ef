"""GPT-2 in Flax Linen, which decodes whole sequences without a cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array


@dataclass(frozen=True)
class Config:
    """The sizes of a model, with the published ones as defaults."""

    depth: int = 12
    width: int = 768
    heads: int = 12
    tokens: int = 50257
    positions: int = 1024


class Block(nn.Module):
    """Causal attention and an MLP, each preceded by a normalisation."""

    config: Config

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Map f32 (batch, tokens, width) to the same shape."""
        config = self.config
        normal = nn.LayerNorm(epsilon=1e-5)(x)
        qkv = nn.Dense(3 * config.width)(normal)
        q, k, v = (
            part.reshape(*part.shape[:2], config.heads, -1) for part in jnp.split(qkv, 3, axis=-1)
        )
        mixed = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        x = x + nn.Dense(config.width)(mixed.reshape(x.shape))
        hidden = nn.gelu(nn.Dense(4 * config.width)(nn.LayerNorm(epsilon=1e-5)(x)))
        output: Array = x + nn.Dense(config.width)(hidden)
        return output


class GPT2(nn.Module):
    """A model that maps tokens to the logits of the next tokens."""

    config: Config

    @nn.compact
    def __call__(self, tokens: Array) -> Array:
        """Map integer (batch, tokens) to f32 (batch, tokens, vocabulary)."""
        config = self.config
        embed = nn.Embed(config.tokens, config.width)
        positions = nn.Embed(config.positions, config.width)
        x = embed(tokens) + positions(jnp.arange(tokens.shape[1]))
        for number in range(config.depth):
            x = Block(config, name=f"block_{number}")(x)
        scores: Array = embed.attend(nn.LayerNorm(epsilon=1e-5)(x))
        return scores


def build(config: Config | None = None) -> tuple[GPT2, Any]:
    """Return the model and its random variables."""
    model = GPT2(config or Config())
    return model, model.init(jax.random.key(0), jnp.zeros((1, 4), int))


def build_block(config: Config | None = None) -> tuple[Block, Any]:
    """Return one block and its random variables."""
    config = config or Config()
    block = Block(config)
    return block, block.init(jax.random.key(0), jnp.zeros((1, 4, config.width)))
