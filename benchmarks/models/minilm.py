"""The MiniLM sentence encoder of ``exporters.families.minilm`` in its published configuration."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from exporters.families.minilm.config import MiniLMConfig
from exporters.families.minilm.model import MiniLM

CONFIG = MiniLMConfig(
    hidden_size=384,
    intermediate_size=1536,
    num_hidden_layers=6,
    num_attention_heads=12,
    max_position_embeddings=512,
    vocab_size=30522,
    type_vocab_size=2,
    layer_norm_eps=1e-12,
)


def build() -> MiniLM:
    """Return the encoder with random weights.

    It maps int64 tokens, mask and types, each (batch, tokens), to sentence and token vectors.
    """
    leaves, tree = jax.tree.flatten(MiniLM(CONFIG))
    keys = jax.random.split(jax.random.key(0), len(leaves))
    model: MiniLM = jax.tree.unflatten(
        tree,
        [
            0.02 * jax.random.normal(key, leaf.shape) + (leaf.ndim == 1) * jnp.float32(0.5)
            for key, leaf in zip(keys, leaves, strict=True)
        ],
    )
    return model
