"""Constants: tensors that the conversion made, as opposed to parameters of the model."""

from collections.abc import Container
from typing import Any

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.walk import bodies, nested_graphs

_SMALL = 1024
"""Bytes up to which constants are merged, and cast in the file instead of at run time."""


class Constant(ir.Tensor[np.ndarray[Any, Any]]):
    """A tensor whose value the graph may depend on: a literal of the model's code, a shape, axes.

    Parameters are tensors of any other class. Their names are the model's, their values may lie in
    files, and neither merging nor rewriting reads them.
    """


def new_constant(graph: ir.Graph, tensor: Constant) -> ir.Value:
    """Add an initializer under a free name to a main graph or a branch, and return its value."""
    name = free_name(graph.initializers, len(graph.initializers))
    value = ir.val(name, const_value=tensor)
    graph.register_initializer(value)
    return value


def constant_node(tensor: ir.TensorProtocol) -> ir.Node:
    """Return a node that holds a constant, for graphs without initializers."""
    node = ir.Node("", "Constant", (), [ir.AttrTensor("value", tensor)])
    node.outputs[0].type = ir.TensorType(tensor.dtype)
    node.outputs[0].shape = ir.Shape(tensor.shape.numpy())
    return node


def free_name(taken: Container[str], number: int) -> str:
    """Return ``constant_<number>``, or the next such name that is not taken."""
    while (name := f"constant_{number}") in taken:
        number += 1
    return name


def constant_tensor(value: ir.Value) -> ir.TensorProtocol | None:
    """Return the tensor of a value that is a constant; None for parameters and all other values."""
    tensor = value.const_value
    if tensor is not None:
        return tensor if isinstance(tensor, Constant) else None
    node = value.producer()
    if node is None or node.op_type != "Constant" or node.domain != "":
        return None
    return node.attributes.get_tensor("value")


def small_constant(value: ir.Value) -> ir.TensorProtocol | None:
    """Return the tensor of a constant of at most 1 KiB; None for all other values."""
    tensor = constant_tensor(value)
    return None if tensor is None or tensor.nbytes > _SMALL else tensor


def merge_constants(model: ir.Model) -> None:
    """Keep one of several small constants of the same type, shape and bytes, in each graph.

    1. Initializers are merged, but parameters stay as they are: their names are the model's.
       ``onnx_ir.passes.common.DeduplicateInitializersPass`` would merge parameters too.
    2. Constant nodes are merged too; functions have no other constants.
    """
    for body in bodies(model):
        for graph in nested_graphs(body):
            _merge(graph)


def _merge(graph: ir.Graph) -> None:
    kept: dict[tuple[ir.DataType, tuple[int, ...], bytes], ir.Value] = {}
    made = (node.outputs[0] for node in graph if node.op_type == "Constant")
    for value in (*graph.initializers.values(), *made):
        tensor = small_constant(value)
        if tensor is None or value.is_graph_output() or value.is_graph_input():
            continue
        if tensor.dtype.is_string():
            continue
        key = (tensor.dtype, tuple(tensor.shape.numpy()), tensor.tobytes())
        first = kept.setdefault(key, value)
        if first is not value:
            value.replace_all_uses_with(first)
