"""The DINOv3 ConvNeXt in Equinox.

Modules and parameters have the names of the published checkpoints, such as
``stages.0.layers.0.depthwise_conv.weight``. Images keep their channels first, (batch, channels,
height, width), as the convolutions of ONNX do.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax

from exporters.families.dinov3.config import ConvNextConfig
from exporters.model.layers import LayerNorm, Linear, parameter

PATCH = 4
"""The size in pixels of the patches that the first stage projects. The others halve both sides."""


class DINOv3ConvNext(eqx.Module):
    """The model from images to vectors of patches."""

    stages: list[Stage]
    layer_norm: LayerNorm

    def __init__(self, config: ConvNextConfig) -> None:
        sizes = (config.num_channels, *config.hidden_sizes)
        self.stages = [Stage(config, sizes[i], sizes[i + 1], i) for i in range(len(config.depths))]
        self.layer_norm = LayerNorm(sizes[-1], config.layer_norm_eps)

    def __call__(self, pixel_values: Array) -> tuple[Array, Array]:
        """Return the vectors of the whole image and of its patches, and that of the image.

        Args:
            pixel_values: f32 (batch, channels, height, width), normalised as in training. Height
                and width are multiples of the size of a patch of the last stage.

        Returns:
            The last hidden state, f32 (batch, 1 + patches, hidden): the mean of the patches, and
            the patches row by row. And the mean of the patches, f32 (batch, hidden).
        """
        features = pixel_values
        for stage in self.stages:
            features = stage(features)
        pooled = jnp.mean(features, axis=(2, 3))[:, None]
        batch, hidden, rows, columns = features.shape
        patches = features.reshape(batch, hidden, rows * columns).transpose(0, 2, 1)
        tokens = self.layer_norm(jnp.concatenate([pooled, patches], axis=1))
        return tokens, tokens[:, 0]


class Stage(eqx.Module):
    """A convolution that makes the image smaller, and blocks that keep its size."""

    downsample_layers: list[Convolution | LayerNorm]
    layers: list[Block]

    def __init__(self, config: ConvNextConfig, inputs: int, outputs: int, number: int) -> None:
        first = number == 0
        window = PATCH if first else 2
        convolution = Convolution(inputs, outputs, window, stride=window)
        norm = LayerNorm(outputs if first else inputs, config.layer_norm_eps)
        self.downsample_layers = [convolution, norm] if first else [norm, convolution]
        self.layers = [Block(config, outputs) for _ in range(config.depths[number])]

    def __call__(self, x: Array) -> Array:
        """Map (batch, inputs, height, width) to (batch, outputs, height / n, width / n)."""
        for layer in self.downsample_layers:
            x = layer(x) if isinstance(layer, Convolution) else _channels_first(layer, x)
        for block in self.layers:
            x = block(x)
        return x


class Block(eqx.Module):
    """A convolution of each channel and an MLP of each pixel, whose scaled output is added."""

    depthwise_conv: Convolution
    layer_norm: LayerNorm
    pointwise_conv1: Linear
    pointwise_conv2: Linear
    gamma: Array

    def __init__(self, config: ConvNextConfig, channels: int) -> None:
        self.depthwise_conv = Convolution(channels, channels, 7, padding=3, groups=channels)
        self.layer_norm = LayerNorm(channels, config.layer_norm_eps)
        self.pointwise_conv1 = Linear(channels, 4 * channels)
        self.pointwise_conv2 = Linear(4 * channels, channels)
        self.gamma = parameter(channels)

    def __call__(self, x: Array) -> Array:
        """Map (batch, channels, height, width) to the same shape."""
        batch, channels, height, width = x.shape
        y = self.depthwise_conv(x).transpose(0, 2, 3, 1)
        y = self.layer_norm(y.reshape(batch * height * width, channels))  # one product each below
        y = self.pointwise_conv2(jax.nn.gelu(self.pointwise_conv1(y), approximate=False))
        y = (y * self.gamma.astype(y.dtype)).reshape(batch, height, width, channels)
        return x + y.transpose(0, 3, 1, 2)


class Convolution(eqx.Module):
    """A convolution over height and width."""

    weight: Array
    bias: Array
    stride: int = eqx.field(static=True)
    padding: int = eqx.field(static=True)
    groups: int = eqx.field(static=True)

    def __init__(
        self,
        inputs: int,
        outputs: int,
        window: int,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
    ) -> None:
        self.weight = parameter(outputs, inputs // groups, window, window)
        self.bias = parameter(outputs)
        self.stride, self.padding, self.groups = stride, padding, groups

    def __call__(self, x: Array) -> Array:
        """Map (batch, inputs, height, width) to (batch, outputs, height, width)."""
        y = lax.conv_general_dilated(
            x,
            self.weight.astype(x.dtype),
            (self.stride, self.stride),
            [(self.padding, self.padding)] * 2,
            feature_group_count=self.groups,
        )
        return y + self.bias.astype(x.dtype)[:, None, None]


def _channels_first(norm: LayerNorm, x: Array) -> Array:
    """Normalise the channels of (batch, channels, height, width)."""
    return norm(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
