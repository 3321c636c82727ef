"""ResNet-50 in Flax NNX, channels last."""

from __future__ import annotations

from dataclasses import dataclass

from flax import nnx
from jax import Array


@dataclass(frozen=True)
class Config:
    """The sizes of a model, ResNet-50's by default; each stage is twice as wide as the previous."""

    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    classes: int = 1000


class ConvNorm(nnx.Module):
    """A convolution followed by a batch norm."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        rngs: nnx.Rngs,
    ) -> None:
        pad = (size // 2, size // 2)
        self.conv = nnx.Conv(
            inputs,
            outputs,
            (size, size),
            strides=stride,
            padding=[pad, pad],
            feature_group_count=groups,
            use_bias=False,
            rngs=rngs,
        )
        self.norm = nnx.BatchNorm(outputs, use_running_average=True, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Map f32 (batch, height, width, channels) to another height, width and channels."""
        normal: Array = self.norm(self.conv(x))
        return normal


class Bottleneck(nnx.Module):
    """Three convolutions, with a quarter of the channels inside, and a shortcut."""

    def __init__(self, inputs: int, width: int, *, stride: int, rngs: nnx.Rngs) -> None:
        outputs = 4 * width
        self.reduce = ConvNorm(inputs, width, 1, rngs=rngs)
        self.mix = ConvNorm(width, width, 3, stride=stride, rngs=rngs)
        self.expand = ConvNorm(width, outputs, 1, rngs=rngs)
        self.shortcut = (
            ConvNorm(inputs, outputs, 1, stride=stride, rngs=rngs) if inputs != outputs else None
        )

    def __call__(self, x: Array) -> Array:
        """Map f32 (batch, height, width, channels) to another height, width and channels."""
        y = nnx.relu(self.reduce(x))
        y = self.expand(nnx.relu(self.mix(y)))
        return nnx.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet(nnx.Module):
    """A model that maps images to the logits of classes."""

    def __init__(self, config: Config, *, rngs: nnx.Rngs) -> None:
        self.stem = ConvNorm(3, config.width, 7, stride=2, rngs=rngs)
        blocks, channels = [], config.width
        for stage, depth in enumerate(config.depths):
            width = config.width * 2**stage
            for number in range(depth):
                stride = 2 if stage and not number else 1
                blocks.append(Bottleneck(channels, width, stride=stride, rngs=rngs))
                channels = 4 * width
        self.blocks = nnx.List(blocks)
        self.head = nnx.Linear(channels, config.classes, rngs=rngs)

    def __call__(self, images: Array) -> Array:
        """Map f32 (batch, height, width, 3) to (batch, classes)."""
        x = nnx.relu(self.stem(images))
        x = nnx.max_pool(x, window_shape=(3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        for block in self.blocks:
            x = block(x)
        scores: Array = self.head(x.mean((1, 2)))
        return scores


def build(config: Config | None = None) -> ResNet:
    """Return the model with random weights."""
    return ResNet(config or Config(), rngs=nnx.Rngs(0))
