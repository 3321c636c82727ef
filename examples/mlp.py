"""A perceptron in Equinox, Flax NNX and Flax Linen: the same four operators from each."""

from __future__ import annotations

from pathlib import Path

import equinox as eqx
import flax.linen as nn
import jax
import numpy as np
from flax import nnx

from examples.shared import export, run

KEY = jax.random.key(0)
X = np.random.default_rng(0).standard_normal((5, 30), dtype=np.float32)


class EquinoxMLP(eqx.Module):
    """A model of one row, as usual in Equinox; ``jax.vmap`` maps it over a batch."""

    hidden: eqx.nn.Linear
    norm: eqx.nn.LayerNorm
    out: eqx.nn.Linear

    def __init__(self, key: jax.Array) -> None:
        first, second = jax.random.split(key)
        self.hidden = eqx.nn.Linear(30, 20, key=first)
        self.norm = eqx.nn.LayerNorm(20)
        self.out = eqx.nn.Linear(20, 10, key=second)

    def __call__(self, row: jax.Array) -> jax.Array:
        logits: jax.Array = self.out(jax.nn.gelu(self.norm(self.hidden(row))))
        return logits


class NnxMLP(nnx.Module):
    """A model that holds its state, as usual in Flax NNX; it is converted without its dropout."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.hidden = nnx.Linear(30, 20, rngs=rngs)
        self.norm = nnx.LayerNorm(20, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)
        self.out = nnx.Linear(20, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        logits: jax.Array = self.out(self.dropout(nnx.gelu(self.norm(self.hidden(x)))))
        return logits


class LinenMLP(nn.Module):
    """A module that is separate from its variables, as usual in Flax Linen."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        hidden = nn.gelu(nn.LayerNorm()(nn.Dense(20)(x)))
        logits: jax.Array = nn.Dense(10)(hidden)
        return logits


def main(folder: Path) -> None:
    """Export all three for batches of any size."""
    inputs = [("B", 30)]
    export(folder, "mlp_equinox", jax.vmap(EquinoxMLP(KEY)), inputs, [X])

    export(folder, "mlp_nnx", NnxMLP(nnx.Rngs(0)), inputs, [X])

    net = LinenMLP()
    export(folder, "mlp_linen", (net, net.init(KEY, X)), inputs, [X])


if __name__ == "__main__":
    run(main)
