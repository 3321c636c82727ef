"""ViT-B/16 in Equinox, for one image, mapped over the batch."""

from __future__ import annotations

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array


@dataclass(frozen=True)
class Config:
    """The sizes of a model, with the published ones as defaults."""

    image: int = 224
    patch: int = 16
    depth: int = 12
    width: int = 768
    heads: int = 12
    classes: int = 1000


class Block(eqx.Module):
    """Attention and an MLP, each preceded by a normalisation."""

    norm1: eqx.nn.LayerNorm
    attention: eqx.nn.MultiheadAttention
    norm2: eqx.nn.LayerNorm
    fc1: eqx.nn.Linear
    fc2: eqx.nn.Linear

    def __init__(self, config: Config, *, key: Array) -> None:
        keys = jax.random.split(key, 3)
        width = config.width
        biases = {f"use_{part}_bias": True for part in ("query", "key", "value", "output")}
        self.norm1 = eqx.nn.LayerNorm(width, eps=1e-6)
        self.attention = eqx.nn.MultiheadAttention(config.heads, width, key=keys[0], **biases)
        self.norm2 = eqx.nn.LayerNorm(width, eps=1e-6)
        self.fc1 = eqx.nn.Linear(width, 4 * width, key=keys[1])
        self.fc2 = eqx.nn.Linear(4 * width, width, key=keys[2])

    def __call__(self, x: Array) -> Array:
        """Map f32 (tokens, width) to the same shape."""
        normal = jax.vmap(self.norm1)(x)
        x = x + self.attention(normal, normal, normal)
        hidden = jax.vmap(self.fc1)(jax.vmap(self.norm2)(x))
        return x + jax.vmap(self.fc2)(jax.nn.gelu(hidden, approximate=False))


class ViT(eqx.Module):
    """A model that maps images to the logits of classes."""

    patches: eqx.nn.Conv2d
    token: Array
    positions: Array
    blocks: tuple[Block, ...]
    norm: eqx.nn.LayerNorm
    head: eqx.nn.Linear

    def __init__(self, config: Config, *, key: Array) -> None:
        keys = jax.random.split(key, 4)
        count = (config.image // config.patch) ** 2
        self.patches = eqx.nn.Conv2d(3, config.width, config.patch, config.patch, key=keys[0])
        self.token = jnp.zeros((1, config.width))
        self.positions = 0.02 * jax.random.normal(keys[1], (count + 1, config.width))
        self.blocks = tuple(Block(config, key=k) for k in jax.random.split(keys[2], config.depth))
        self.norm = eqx.nn.LayerNorm(config.width, eps=1e-6)
        self.head = eqx.nn.Linear(config.width, config.classes, key=keys[3])

    def one(self, image: Array) -> Array:
        """Map f32 (3, height, width) to (classes,)."""
        tokens = self.patches(image).reshape(self.token.shape[1], -1).T
        x = jnp.concatenate([self.token, tokens]) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[0]))

    def __call__(self, images: Array) -> Array:
        """Map f32 (batch, 3, height, width) to (batch, classes)."""
        return jax.vmap(self.one)(images)


def build(config: Config | None = None) -> ViT:
    """Return the model with random weights."""
    return ViT(config or Config(), key=jax.random.key(0))
