"""ConvNeXt-T in Flax NNX, channels last."""

from __future__ import annotations

import jax.numpy as jnp
from flax import nnx
from jax import Array

_DEPTHS, _WIDTHS = (3, 3, 9, 3), (96, 192, 384, 768)


class Block(nnx.Module):
    """A depthwise convolution and an MLP, whose scaled result is added to the input."""

    def __init__(self, width: int, *, rngs: nnx.Rngs) -> None:
        self.mix = nnx.Conv(width, width, (7, 7), feature_group_count=width, rngs=rngs)
        self.norm = nnx.LayerNorm(width, epsilon=1e-6, rngs=rngs)
        self.fc1 = nnx.Linear(width, 4 * width, rngs=rngs)
        self.fc2 = nnx.Linear(4 * width, width, rngs=rngs)
        self.scale = nnx.Param(jnp.full(width, 0.5))

    def __call__(self, x: Array) -> Array:
        """Map f32 (batch, height, width, channels) to the same shape."""
        y = self.fc1(self.norm(self.mix(x)))
        y = self.fc2(nnx.gelu(y, approximate=False))
        result: Array = x + self.scale[...] * y
        return result


class ConvNeXt(nnx.Module):
    """A model that maps images to the logits of classes."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        stem = nnx.Conv(3, _WIDTHS[0], (4, 4), strides=4, padding="VALID", rngs=rngs)
        layers = [stem, nnx.LayerNorm(_WIDTHS[0], epsilon=1e-6, rngs=rngs)]
        for stage, (depth, width) in enumerate(zip(_DEPTHS, _WIDTHS, strict=True)):
            if stage:
                before = _WIDTHS[stage - 1]
                layers.append(nnx.LayerNorm(before, epsilon=1e-6, rngs=rngs))
                layers.append(
                    nnx.Conv(before, width, (2, 2), strides=2, padding="VALID", rngs=rngs)
                )
            layers += [Block(width, rngs=rngs) for _ in range(depth)]
        self.layers = nnx.List(layers)
        self.norm = nnx.LayerNorm(_WIDTHS[-1], epsilon=1e-6, rngs=rngs)
        self.head = nnx.Linear(_WIDTHS[-1], 1000, rngs=rngs)

    def __call__(self, images: Array) -> Array:
        """Map f32 (batch, height, width, 3) to (batch, classes)."""
        x = images
        for layer in self.layers:
            x = layer(x)
        scores: Array = self.head(self.norm(x.mean((1, 2))))
        return scores


def build() -> ConvNeXt:
    """Return the model with random weights."""
    return ConvNeXt(rngs=nnx.Rngs(0))
