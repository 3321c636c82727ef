"""A layer of a graph neural network in Equinox: messages along edges, summed at each node."""

from __future__ import annotations

import equinox as eqx
import jax
from jax import Array

NODES, EDGES, WIDTH = 1_000, 10_000, 64


class Layer(eqx.Module):
    """Messages from a linear map of the senders, and an update of the nodes that receive them."""

    message: eqx.nn.Linear
    update: eqx.nn.Linear

    def __call__(self, nodes: Array, senders: Array, receivers: Array) -> Array:
        """Map f32 (nodes, width) and two integers for each edge to f32 (nodes, width)."""
        messages = jax.nn.relu(jax.vmap(self.message)(nodes[senders]))
        total = jax.ops.segment_sum(messages, receivers, num_segments=nodes.shape[0])
        result: Array = nodes + jax.vmap(self.update)(total)
        return result


def build() -> Layer:
    """Return the layer with random weights."""
    keys = jax.random.split(jax.random.key(0))
    return Layer(*(eqx.nn.Linear(WIDTH, WIDTH, key=key) for key in keys))
