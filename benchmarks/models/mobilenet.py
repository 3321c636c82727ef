"""MobileNetV3-Large in Flax NNX, channels last."""

from __future__ import annotations

from collections.abc import Callable

import jax
from flax import nnx
from jax import Array

from tests.models import resnet

_BLOCKS = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)
"""Of each block: kernel, channels inside, channels, squeeze and excitation, hard swish, stride."""

_Activation = Callable[[Array], Array]


class ConvNorm(resnet.ConvNorm):
    """A convolution followed by a batch norm and an activation."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        activation: _Activation,
        *,
        stride: int = 1,
        groups: int = 1,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(inputs, outputs, size, stride=stride, groups=groups, rngs=rngs)
        self.activation = activation

    def __call__(self, x: Array) -> Array:
        """Map f32 (batch, height, width, channels) to another height, width and channels."""
        return self.activation(super().__call__(x))


class Excite(nnx.Module):
    """Squeeze and excitation: a factor for each channel."""

    def __init__(self, channels: int, *, rngs: nnx.Rngs) -> None:
        inside = (channels // 4 + 4) // 8 * 8
        self.fc1 = nnx.Linear(channels, inside, rngs=rngs)
        self.fc2 = nnx.Linear(inside, channels, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Map f32 (batch, height, width, channels) to the same shape."""
        scale = self.fc2(jax.nn.relu(self.fc1(x.mean((1, 2), keepdims=True))))
        result: Array = x * jax.nn.hard_sigmoid(scale)
        return result


def _same(x: Array) -> Array:
    return x


class MobileNet(nnx.Module):
    """A model that maps images to the logits of classes."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.stem = ConvNorm(3, 16, 3, jax.nn.hard_swish, stride=2, rngs=rngs)
        blocks, inputs = [], 16
        for size, inside, outputs, excited, swish, stride in _BLOCKS:
            activation = jax.nn.hard_swish if swish else jax.nn.relu
            layers: list[nnx.Module] = []
            if inside != inputs:
                layers.append(ConvNorm(inputs, inside, 1, activation, rngs=rngs))
            layers.append(
                ConvNorm(inside, inside, size, activation, stride=stride, groups=inside, rngs=rngs)
            )
            if excited:
                layers.append(Excite(inside, rngs=rngs))
            layers.append(ConvNorm(inside, outputs, 1, _same, rngs=rngs))
            blocks.append(nnx.List(layers))
            inputs = outputs
        self.blocks = nnx.List(blocks)
        self.last = ConvNorm(inputs, 960, 1, jax.nn.hard_swish, rngs=rngs)
        self.fc = nnx.Linear(960, 1280, rngs=rngs)
        self.head = nnx.Linear(1280, 1000, rngs=rngs)

    def __call__(self, images: Array) -> Array:
        """Map f32 (batch, height, width, 3) to (batch, classes)."""
        x = self.stem(images)
        for block in self.blocks:
            y = x
            for layer in block:
                y = layer(y)
            x = x + y if x.shape[1:] == y.shape[1:] else y
        scores: Array = self.head(jax.nn.hard_swish(self.fc(self.last(x).mean((1, 2)))))
        return scores


def build() -> MobileNet:
    """Return the model with random weights."""
    return MobileNet(rngs=nnx.Rngs(0))
