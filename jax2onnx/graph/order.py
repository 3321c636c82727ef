"""Topological order of nodes: every node comes after the nodes whose outputs it reads."""

from collections.abc import Iterable

import onnx_ir as ir

from jax2onnx.graph.walk import bodies, subgraphs


def order(model: ir.Model) -> None:
    """Sort the nodes of every graph and function topologically, in place.

    A graph that is sorted already stays as it is, which is cheaper to check than to sort again, as
    ``onnx_ir.passes.common.TopologicalSortPass`` would.

    Raises:
        ValueError: some nodes depend on each other in a circle.
    """
    for body in bodies(model):
        if not _is_ordered(body, set()):
            body.sort()


def _is_ordered(graph: ir.Graph, seen: set[ir.Node]) -> bool:
    """Return whether each node in ``graph`` comes after the nodes that it reads."""
    for node in graph:
        inside = all(_is_ordered(inner, seen) for inner in subgraphs(node))
        if not (inside and _come_from(seen, node.inputs)):
            return False
        seen.add(node)
    # The outputs of a subgraph may come from outside it, but not from a later node.
    return _come_from(seen, graph.outputs)


def _come_from(seen: set[ir.Node], values: Iterable[ir.Value | None]) -> bool:
    makers = (value.producer() for value in values if value is not None)
    return all(maker is None or maker in seen for maker in makers)
