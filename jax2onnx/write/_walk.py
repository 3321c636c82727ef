"""Walking over a model: the few loops that every step of `write` and `legalise` needs."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

_GRAPH = ir.AttributeType.GRAPH
_GRAPHS = ir.AttributeType.GRAPHS


def bodies(model: ir.Model) -> Iterator[ir.Graph]:
    """The main graph, then the body of each function, in the model's order."""
    yield model.graph
    for function in model.functions.values():
        yield function.graph


def subgraphs(node: ir.Node) -> Iterator[ir.Graph]:
    """The graphs that `node` holds as attributes (bodies of Loop, Scan and If)."""
    if not node.attributes:
        return
    for attribute in node.attributes.values():
        if attribute.type == _GRAPH and not attribute.is_ref():
            yield attribute.as_graph()
        elif attribute.type == _GRAPHS and not attribute.is_ref():
            yield from attribute.as_graphs()


def nested_graphs(graph: ir.Graph) -> Iterator[ir.Graph]:
    """`graph` and every graph inside it, outer ones first."""
    yield graph
    for node in graph:
        for inner in subgraphs(node):
            yield from nested_graphs(inner)


def nested_nodes(graph: ir.Graph) -> Iterator[ir.Node]:
    """Every node of `graph` and of the graphs inside it, a node before its own subgraphs."""
    for node in graph:
        yield node
        for inner in subgraphs(node):
            yield from nested_nodes(inner)
