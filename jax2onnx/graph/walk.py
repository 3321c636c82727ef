"""Walks over the graphs and nodes of a model."""

from collections.abc import Iterator, Sequence

import onnx_ir as ir

WITH_BODIES = frozenset(("If", "Loop", "Scan", "SequenceMap"))
"""The operators of the standard domain that have graphs as attributes."""


def bodies(model: ir.Model) -> Iterator[ir.Graph]:
    """Yield the main graph, then the body of each function, in the model's order."""
    yield model.graph
    for function in model.functions.values():
        yield function.graph


def operator_name(node: ir.Node) -> str:
    """Return the operator of a node, with its domain in front unless it is the standard one."""
    return f"{node.domain}.{node.op_type}" if node.domain else node.op_type


def subgraphs(node: ir.Node) -> Sequence[ir.Graph]:
    """Return the graphs among a node's attributes, such as the branches of an If."""
    if node.domain == "" and node.op_type not in WITH_BODIES:
        return ()
    found: list[ir.Graph] = []
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH and not attribute.is_ref():
            found.append(attribute.as_graph())
        elif attribute.type == ir.AttributeType.GRAPHS and not attribute.is_ref():
            found.extend(attribute.as_graphs())
    return found


def nested_graphs(graph: ir.Graph) -> Iterator[ir.Graph]:
    """Yield ``graph`` and every graph inside it, outer graphs first."""
    yield graph
    for node in graph:
        for inner in subgraphs(node):
            yield from nested_graphs(inner)


def nested_nodes(graph: ir.Graph) -> Iterator[ir.Node]:
    """Yield every node of ``graph`` and of the graphs inside it, a node before its subgraphs."""
    for node in graph:
        yield node
        for inner in subgraphs(node):
            yield from nested_nodes(inner)
