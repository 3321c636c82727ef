"""Removal of nodes, functions and initializers that the outputs do not depend on."""

import onnx_ir as ir

from jax2onnx.graph.walk import bodies, nested_graphs, nested_nodes, subgraphs


def prune(model: ir.Model) -> None:
    """Remove dead code from a topologically sorted model, in place.

    1. Functions that are not reachable from the main graph are removed. The others are sorted, with
       callees first, by their first call.
    2. Nodes none of whose outputs is used are removed, from functions and subgraphs too.
    3. Initializers that are not used are removed.

    The inputs and outputs of the model and of its functions stay. The passes of ``onnx_ir`` are not
    used: ``RemoveUnusedFunctionsPass`` does not sort functions, and ``RemoveUnusedNodesPass`` looks
    up the schema of every node and removes optional outputs that rewriting may still ask for.
    """
    _drop_functions(model)
    for body in bodies(model):
        _drop_nodes(body)
    # The nodes that were removed may have been the only callers of a function.
    _drop_functions(model)
    for graph in nested_graphs(model.graph):
        _drop_initializers(graph)


def _drop_functions(model: ir.Model) -> None:
    functions = model.functions
    if not functions:
        return
    reached: dict[ir.OperatorIdentifier, ir.Function] = {}

    def visit(graph: ir.Graph) -> None:
        for node in nested_nodes(graph):
            key = node.op_identifier()
            if key in functions and key not in reached:
                visit(functions[key].graph)
                reached[key] = functions[key]

    visit(model.graph)
    functions.clear()
    functions.update(reached)


def _drop_nodes(graph: ir.Graph) -> None:
    dead: list[ir.Node] = []
    for node in reversed(graph):
        if any(value.is_graph_output() or value.uses() for value in node.outputs):
            for inner in subgraphs(node):
                _drop_nodes(inner)
        else:
            release(node)
            dead.append(node)
    graph.remove(dead)


def release(node: ir.Node) -> None:
    """Clear the inputs of ``node`` and of all nodes inside it, so that these become unused too."""
    inside = (part for inner in subgraphs(node) for part in nested_nodes(inner))
    for part in (*inside, node):
        for index in range(len(part.inputs)):
            part.replace_input_with(index, None)


def _drop_initializers(graph: ir.Graph) -> None:
    initializers = graph.initializers
    unused = [
        name
        for name, value in initializers.items()
        if not (value.uses() or value.is_graph_input() or value.is_graph_output())
    ]
    for name in unused:
        del initializers[name]
