"""Networks of Jraph on graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jraph
from jax import Array

from tests.coverage.example import f, i
from tests.zoo.model import Model, of

NODES, EDGES, PLACES = f(6, 4), f(9, 3), i(9, high=6)
WEIGHT = jax.random.normal(jax.random.key(0), (32, 32)) * 0.3


def _dense(x: Array, size: int) -> Array:
    return jax.nn.relu(x @ WEIGHT[: x.shape[-1], :size])


def _graph(nodes: Array, edges: Array, senders: Array, receivers: Array) -> Any:
    """Return two graphs of three nodes each."""
    counts = {"n_node": jnp.array([3, 3]), "n_edge": jnp.array([4, 5])}
    return jraph.GraphsTuple(nodes, edges, receivers, senders, globals=jnp.ones((2, 2)), **counts)


def _network(name: str, make: Callable[[], Callable[[Any], Any]], **options: Any) -> Model:
    def call(nodes: Array, edges: Array, senders: Array, receivers: Array) -> Any:
        graph = make()(_graph(nodes, edges, senders, receivers))
        return graph.nodes, graph.globals

    return of(name, call, NODES, EDGES, PLACES, PLACES, **options)


def _full() -> Callable[[Any], Any]:
    def joined(size: int) -> Callable[..., Array]:
        return lambda *parts: _dense(jnp.concatenate(parts, -1), size)

    return jraph.GraphNetwork(joined(5), joined(4), joined(2))


def _attention() -> Callable[[Any], Any]:
    return jraph.GAT(
        attention_query_fn=lambda x: _dense(x, 4),
        attention_logit_fn=lambda a, b, edges: jnp.sum(a * b, -1, keepdims=True),
        node_update_fn=jax.nn.elu,
    )


def _pooled() -> Callable[[Any], Any]:
    return jraph.DeepSets(lambda x, *_: _dense(x, 4), lambda x, *_: _dense(x, 2))


MODELS = [
    _network("graph network", _full),
    _network("graph attention", _attention),
    _network(
        "graph convolution",
        lambda: jraph.GraphConvolution(lambda x: _dense(x, 5), add_self_edges=True),
    ),
    _network("deep sets", _pooled),
    of("segment softmax", lambda x, s: jraph.segment_softmax(x, s, 6), f(9), PLACES),
]
