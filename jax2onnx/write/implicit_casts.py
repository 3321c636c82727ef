"""Casts of numbers that a body reads from the graph around it, in both types."""

import onnx_ir as ir

from jax2onnx.graph.walk import bodies, nested_graphs, nested_nodes


def copy_implicit_casts(model: ir.Model) -> None:
    """Move a Cast of one number into each body that reads both its input and its result, in place.

    When ONNX Runtime loads a model, it asks of every Cast whether it can be removed. Where a body
    reads the Cast's result and its input from the graph around it, it warns that it cannot rename
    the one to the other. A Cast of one number costs next to nothing in each iteration of a loop.

    The model is sorted. The Cast outside may be unused afterwards.
    """
    for body in bodies(model):
        for graph in list(nested_graphs(body)):
            if graph is not body:
                _copy_casts(graph)


def _copy_casts(graph: ir.Graph) -> None:
    inside = list(nested_nodes(graph))
    made = {value for node in inside for value in node.outputs}
    uses = [
        (node, index, value)
        for node in inside
        for index, value in enumerate(node.inputs)
        if value is not None and value not in made
    ]
    read = {value for _, _, value in uses}
    copies: dict[ir.Value, ir.Value] = {}
    for node, index, value in uses:
        cast = value.producer()
        if cast is None or cast.op_type != "Cast" or cast.domain != "":
            continue
        if cast.inputs[0] in read and _is_one_number(value):
            if value not in copies:
                copies[value] = _copied(cast, graph)
            node.replace_input_with(index, copies[value])


def _is_one_number(value: ir.Value) -> bool:
    return value.shape is not None and all(size == 1 for size in value.shape)


def _copied(cast: ir.Node, graph: ir.Graph) -> ir.Value:
    """Return the result of a copy of ``cast`` at the start of ``graph``."""
    copy = ir.Node("", "Cast", cast.inputs, list(cast.attributes.values()), name=cast.name)
    copy.metadata_props.update(cast.metadata_props)
    old, new = cast.outputs[0], copy.outputs[0]
    new.type, new.shape, new.name = old.type, old.shape, old.name
    graph.insert_before(graph[0], copy)
    return new
