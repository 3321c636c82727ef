"""Constants: the initializers that are no parameters of the model."""

from __future__ import annotations

import re

import onnx_ir as ir

from jax2onnx.graph.walk import bodies, nested_graphs

# Lowering names parameters by their path in the model, and constants like this.
_CONSTANT_NAME = re.compile(r"constant_\d+")

_SMALL = 1024


def merge_constants(model: ir.Model) -> None:
    """Keep one of several small constants of the same type, shape and bytes.

    1. Initializers of a graph. Parameters stay apart, whatever they hold: their names are the
       model's.
    2. Constant nodes of a graph; functions have no other constants.
    """
    for body in bodies(model):
        for graph in nested_graphs(body):
            _merge(graph)


def constant_tensor(value: ir.Value) -> ir.TensorProtocol | None:
    """The tensor of a value that is a constant, and small; None for parameters and all else."""
    tensor: ir.TensorProtocol | None = None
    producer = value.producer()
    if value.is_initializer():
        tensor = value.const_value if _CONSTANT_NAME.fullmatch(value.name or "") else None
    elif producer is not None and producer.op_type == "Constant":
        tensor = producer.attributes.get_tensor("value")
    if tensor is None or tensor.nbytes > _SMALL or isinstance(tensor, ir.ExternalTensor):
        return None
    return tensor


def _merge(graph: ir.Graph) -> None:
    kept: dict[tuple[ir.DataType, tuple[int, ...], bytes], ir.Value] = {}
    made = (node.outputs[0] for node in graph if node.op_type == "Constant")
    for value in (*graph.initializers.values(), *made):
        tensor = constant_tensor(value)
        if tensor is None or value.is_graph_output() or value.is_graph_input():
            continue
        if tensor.dtype.is_string():
            continue
        key = (tensor.dtype, tuple(tensor.shape.numpy()), tensor.tobytes())
        first = kept.setdefault(key, value)
        if first is not value:
            value.replace_all_uses_with(first)
