"""Topological order: every graph and function lists a node after the nodes that it reads."""

from __future__ import annotations

import onnx_ir as ir

from jax2onnx.graph.walk import bodies, subgraphs


def order(model: ir.Model) -> None:
    """Sort what is not sorted already; nodes that do not depend on each other keep their places.

    Raises:
        ValueError: nodes read each other in a circle.
    """
    for body in bodies(model):
        if not _is_ordered(body, set()):
            body.sort()


def _is_ordered(graph: ir.Graph, seen: set[ir.Node]) -> bool:
    """Whether each producer read in `graph` stands before its reader; much cheaper than sorting."""
    for node in graph:
        for value in node.inputs:
            if value is not None:
                producer = value.producer()
                if producer is not None and producer not in seen:
                    return False
        for inner in subgraphs(node):
            if not _is_ordered(inner, seen):
                return False
        seen.add(node)
    # A subgraph's outputs may come from outside it, but never from a later node.
    return all((made := value.producer()) is None or made in seen for value in graph.outputs)
