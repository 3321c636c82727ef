"""Outputs that ONNX takes: each one is made by a node of the graph whose output it is."""

from __future__ import annotations

import onnx_ir as ir

from jax2onnx.graph.walk import bodies, nested_graphs


def separate_outputs(model: ir.Model) -> None:
    """Put an Identity before outputs, of any graph or function, that are not a node's own.

    These are: 1. an input of that graph; 2. an initializer; 3. what is an output at an earlier
    position already.

    JAX functions may return an argument, a constant, or one value twice; ONNX graphs may not.
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
