"""Outputs as ONNX allows them: each is the output of a node of its own graph, and occurs once."""

import onnx_ir as ir

from jax2onnx.graph.walk import bodies, nested_graphs


def separate_outputs(model: ir.Model) -> None:
    """Insert an Identity before outputs that ONNX does not allow, in place.

    A JAX function may return an argument, a constant, or the same value twice. The output of a
    graph or function must not be:

    1. an input of that graph;
    2. an initializer;
    3. a value that is an output at an earlier position.
    """
    for body in bodies(model):
        for graph in list(nested_graphs(body)):
            _separate(graph)


def _separate(graph: ir.Graph) -> None:
    seen: set[ir.Value] = set()
    for index, value in enumerate(tuple(graph.outputs)):
        if value.is_graph_input() or value.is_initializer() or value in seen:
            node = ir.node("Identity", [value])
            copy = node.outputs[0]
            copy.type, copy.shape = value.type, value.shape
            graph.append(node)
            graph.outputs[index] = copy
        seen.add(value)
