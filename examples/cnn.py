"""An image classifier in Equinox, Flax NNX and Flax Linen.

Flax stores images as (N, H, W, C), and ONNX as (N, C, H, W). The graph takes the latter, and has no
Transpose between its layers.
"""

from __future__ import annotations

from pathlib import Path

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from examples.shared import export, run

KEY = jax.random.key(0)
NCHW = np.random.default_rng(0).standard_normal((2, 3, 28, 28), dtype=np.float32)
NHWC = NCHW.transpose(0, 2, 3, 1)


class EquinoxCNN(eqx.Module):
    """A classifier of one image with channels first."""

    layers: list[eqx.nn.Conv2d]
    pool: eqx.nn.MaxPool2d
    head: eqx.nn.Linear

    def __init__(self, key: jax.Array) -> None:
        keys = jax.random.split(key, 3)
        self.layers = [
            eqx.nn.Conv2d(3, 8, 3, padding=1, key=keys[0]),
            eqx.nn.Conv2d(8, 16, 3, padding=1, key=keys[1]),
        ]
        self.pool = eqx.nn.MaxPool2d(2, 2)
        self.head = eqx.nn.Linear(16, 10, key=keys[2])

    def __call__(self, image: jax.Array) -> jax.Array:
        for conv in self.layers:
            image = self.pool(jax.nn.relu(conv(image)))
        logits: jax.Array = self.head(image.mean(axis=(1, 2)))
        return logits


class NnxCNN(nnx.Module):
    """A classifier with batch norm, which is converted with its running statistics."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(3, 8, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.conv2 = nnx.Conv(8, 16, (3, 3), rngs=rngs)
        self.head = nnx.Linear(16, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.max_pool(nnx.relu(self.norm(self.conv1(x))), (2, 2), (2, 2))
        x = nnx.max_pool(nnx.relu(self.conv2(x)), (2, 2), (2, 2))
        logits: jax.Array = self.head(jnp.mean(x, axis=(1, 2)))
        return logits


class LinenCNN(nn.Module):
    """A classifier as the documentation of Flax writes it."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for features in (8, 16):
            x = nn.max_pool(nn.relu(nn.Conv(features, (3, 3))(x)), (2, 2), strides=(2, 2))
        logits: jax.Array = nn.Dense(10)(x.reshape(x.shape[0], -1))
        return logits


def main(folder: Path) -> None:
    """Export all three for batches of any size."""
    in_equinox = export(
        folder, "cnn_equinox", jax.vmap(EquinoxCNN(KEY)), [("B", 3, 28, 28)], [NCHW]
    )

    inputs = [("B", 28, 28, 3)]
    in_nnx = export(folder, "cnn_nnx", NnxCNN(nnx.Rngs(0)), inputs, [NHWC], inputs_as_nchw=[0])

    net = LinenCNN()
    pair = net, net.init(KEY, NHWC)
    export(folder, "cnn_linen", pair, inputs, [NHWC], inputs_as_nchw=["x"])

    for exported in (in_equinox, in_nnx):
        assert "Transpose" not in [node.op_type for node in exported.graph.node]


if __name__ == "__main__":
    run(main)
