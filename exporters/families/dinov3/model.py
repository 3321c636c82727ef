"""The DINOv3 vision transformer in Equinox.

Modules and parameters have the names of the published checkpoints, such as
``layer.0.attention.q_proj.weight``, so that names in a viewer of the artifact can be found in the
weights. Tokens are the rows of one matrix, (batch * tokens, hidden), so that a projection is one
product.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax

from exporters.families.dinov3 import rope
from exporters.families.dinov3.config import DINOv3Config
from exporters.model.layers import LayerNorm, Linear, attention, merge_heads, parameter, split_heads

Tables = tuple[Array | rope.Table, Array | rope.Table]


class DINOv3ViT(eqx.Module):
    """The model from images to token vectors."""

    embeddings: Embeddings
    layer: list[Layer]
    norm: LayerNorm
    config: DINOv3Config = eqx.field(static=True)

    def __init__(self, config: DINOv3Config) -> None:
        self.embeddings = Embeddings(config)
        self.layer = [Layer(config) for _ in range(config.num_hidden_layers)]
        self.norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.config = config

    def __call__(self, pixel_values: Array) -> tuple[Array, Array]:
        """Return the vectors of all tokens, and of the class token.

        Args:
            pixel_values: f32 (batch, channels, height, width), normalised as in training. Height
                and width are multiples of the patch size.

        Returns:
            The last hidden state, f32 (batch, 1 + registers + patches, hidden): the class token,
            the register tokens, and the patches row by row. And the class token, f32 (batch,
            hidden).
        """
        tokens = self.embeddings(pixel_values)
        shape = tokens.shape
        tokens = tokens.reshape(shape[0] * shape[1], shape[2])
        turns = self.rotation(*pixel_values.shape[2:])
        for layer in self.layer:
            tokens = layer(tokens, turns)
        last_hidden_state = self.norm(tokens).reshape(shape)
        return last_hidden_state, last_hidden_state[:, 0]

    def rotation(self, height: int, width: int) -> Tables:
        """Return the tables of ``rope.rotate`` for an image of a size in pixels."""
        config = self.config
        rows, columns = height // config.patch_size[0], width // config.patch_size[1]
        known = all(isinstance(extent, int) for extent in (rows, columns))
        return (rope.tables if known else rope.dynamic_tables)(
            rows, columns, config.prefix_tokens, config.rope_theta, config.head_size
        )


class Embeddings(eqx.Module):
    """The projected patches of an image, after the class token and the register tokens."""

    cls_token: Array
    register_tokens: Array
    patch_embeddings: PatchEmbeddings

    def __init__(self, config: DINOv3Config) -> None:
        self.cls_token = parameter(1, 1, config.hidden_size)
        self.register_tokens = parameter(1, config.num_register_tokens, config.hidden_size)
        self.patch_embeddings = PatchEmbeddings(config)

    def __call__(self, pixel_values: Array) -> Array:
        """Map (batch, channels, height, width) to (batch, tokens, hidden)."""
        patches = self.patch_embeddings(pixel_values)
        prefix = jnp.concatenate([self.cls_token, self.register_tokens], axis=1)
        prefix = jnp.broadcast_to(
            prefix.astype(patches.dtype), (patches.shape[0], *prefix.shape[1:])
        )
        return jnp.concatenate([prefix, patches], axis=1)


class PatchEmbeddings(eqx.Module):
    """A linear map of each patch: a convolution whose stride is the size of its window."""

    weight: Array
    bias: Array

    def __init__(self, config: DINOv3Config) -> None:
        self.weight = parameter(config.hidden_size, config.num_channels, *config.patch_size)
        self.bias = parameter(config.hidden_size)

    def __call__(self, pixel_values: Array) -> Array:
        """Map (batch, channels, height, width) to (batch, patches, hidden)."""
        dtype = pixel_values.dtype
        grid = lax.conv_general_dilated(
            pixel_values, self.weight.astype(dtype), self.weight.shape[2:], "VALID"
        )
        grid = grid + self.bias.astype(dtype)[:, None, None]
        batch, hidden, rows, columns = grid.shape
        return grid.reshape(batch, hidden, rows * columns).transpose(0, 2, 1)


class Layer(eqx.Module):
    """Attention and an MLP. The input of each is normalised; its scaled output is added to it."""

    norm1: LayerNorm
    attention: Attention
    layer_scale1: LayerScale
    norm2: LayerNorm
    mlp: MLP | GatedMLP
    layer_scale2: LayerScale

    def __init__(self, config: DINOv3Config) -> None:
        self.norm1 = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.attention = Attention(config)
        self.layer_scale1 = LayerScale(config.hidden_size)
        self.norm2 = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.mlp = GatedMLP(config) if config.use_gated_mlp else MLP(config)
        self.layer_scale2 = LayerScale(config.hidden_size)

    def __call__(self, x: Array, turns: Tables) -> Array:
        """Map (batch * tokens, hidden) to the same shape; ``turns`` are the tables of ``rope``."""
        x = x + self.layer_scale1(self.attention(self.norm1(x), turns))
        return x + self.layer_scale2(self.mlp(self.norm2(x)))


class Attention(eqx.Module):
    """Attention of each token to all tokens of its image, with rotary position embeddings."""

    q_proj: Linear
    k_proj: Linear
    v_proj: Linear
    o_proj: Linear
    heads: int = eqx.field(static=True)

    def __init__(self, config: DINOv3Config) -> None:
        size = config.hidden_size
        self.q_proj = Linear(size, size, bias=config.query_bias)
        self.k_proj = Linear(size, size, bias=config.key_bias)
        self.v_proj = Linear(size, size, bias=config.value_bias)
        self.o_proj = Linear(size, size, bias=config.proj_bias)
        self.heads = config.num_attention_heads

    def __call__(self, x: Array, turns: Tables) -> Array:
        """Map (batch * tokens, hidden) to the same shape."""
        tokens = turns[0].shape[0]
        q = split_heads(self.q_proj(x), tokens, self.heads)
        k = split_heads(self.k_proj(x), tokens, self.heads)
        v = split_heads(self.v_proj(x), tokens, self.heads)
        return self.o_proj(
            merge_heads(attention(rope.rotate(q, *turns), rope.rotate(k, *turns), v))
        )


class LayerScale(eqx.Module):
    """Multiplication of each element by a learned factor."""

    lambda1: Array

    def __init__(self, size: int) -> None:
        self.lambda1 = parameter(size)

    def __call__(self, x: Array) -> Array:
        """Map (..., size) to the same shape."""
        return x * self.lambda1.astype(x.dtype)


class MLP(eqx.Module):
    """The MLP ``down(act(up(x)))``."""

    up_proj: Linear
    down_proj: Linear
    act: str = eqx.field(static=True)

    def __init__(self, config: DINOv3Config) -> None:
        self.up_proj = Linear(config.hidden_size, config.intermediate_size, bias=config.mlp_bias)
        self.down_proj = Linear(config.intermediate_size, config.hidden_size, bias=config.mlp_bias)
        self.act = config.hidden_act

    def __call__(self, x: Array) -> Array:
        """Map (..., hidden) to the same shape."""
        return self.down_proj(_activate(self.act, self.up_proj(x)))


class GatedMLP(eqx.Module):
    """The gated MLP ``down(act(gate(x)) * up(x))``."""

    gate_proj: Linear
    up_proj: Linear
    down_proj: Linear
    act: str = eqx.field(static=True)

    def __init__(self, config: DINOv3Config) -> None:
        self.gate_proj = Linear(config.hidden_size, config.intermediate_size, bias=config.mlp_bias)
        self.up_proj = Linear(config.hidden_size, config.intermediate_size, bias=config.mlp_bias)
        self.down_proj = Linear(config.intermediate_size, config.hidden_size, bias=config.mlp_bias)
        self.act = config.hidden_act

    def __call__(self, x: Array) -> Array:
        """Map (..., hidden) to the same shape."""
        return self.down_proj(_activate(self.act, self.gate_proj(x)) * self.up_proj(x))


def _activate(name: str, x: Array) -> Array:
    return jax.nn.silu(x) if name == "silu" else jax.nn.gelu(x, approximate=False)
