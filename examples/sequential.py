"""``Sequential`` of each library; parameters are named by the position of their layer."""

from __future__ import annotations

from pathlib import Path

import equinox as eqx
import flax.linen as nn
import jax
import numpy as np
from flax import nnx

from examples.shared import export, run

X = np.random.default_rng(0).standard_normal((5, 16), dtype=np.float32)


def main(folder: Path) -> None:
    """Export all three for batches of any size."""
    inputs = [("B", 16)]
    keys = jax.random.split(jax.random.key(0), 2)
    in_equinox = eqx.nn.Sequential(
        [
            eqx.nn.Linear(16, 32, key=keys[0]),
            eqx.nn.Lambda(jax.nn.relu),
            eqx.nn.RMSNorm(32),
            eqx.nn.Linear(32, 4, key=keys[1]),
        ]
    )
    model = export(folder, "sequential_equinox", jax.vmap(in_equinox), inputs, [X])
    assert {i.name for i in model.graph.initializer} >= {"layers.0.weight", "layers.3.bias"}

    rngs = nnx.Rngs(0)
    in_nnx = nnx.Sequential(
        nnx.Linear(16, 32, rngs=rngs),
        nnx.silu,
        nnx.LayerNorm(32, rngs=rngs),
        nnx.Linear(32, 4, rngs=rngs),
    )
    export(folder, "sequential_nnx", in_nnx, inputs, [X])

    in_linen = nn.Sequential([nn.Dense(32), nn.tanh, nn.Dense(4), nn.log_softmax])
    variables = in_linen.init(jax.random.key(0), X)
    export(folder, "sequential_linen", in_linen.bind(variables), inputs, [X])


if __name__ == "__main__":
    run(main)
