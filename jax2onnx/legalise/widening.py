"""The pass that replaces bfloat16 by float32, for runtimes that cannot even cast it."""

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.constants import Constant
from jax2onnx.graph.walk import bodies, nested_graphs
from jax2onnx.legalise.semantics import TYPE_ATTRIBUTES

_NARROW, _WIDE = ir.DataType.BFLOAT16, ir.DataType.FLOAT


def widen_bfloat16(model: ir.Model) -> None:
    """Replace bfloat16 by float32 everywhere in a model, in place.

    1. Inputs, results of nodes and initializers of bfloat16 are float32. A tensor that lies in a
       file is read, and its wide copy is held in memory.
    2. Attributes that state a type, or hold a tensor, of bfloat16 are changed likewise.
    3. A Cast from and to float32 is removed, or becomes an Identity if its result is an output. So
       numbers that the model rounds to bfloat16 are no longer rounded.
    """
    for body in bodies(model):
        for graph in list(nested_graphs(body)):
            _widen_values([*graph.inputs, *graph.initializers.values()])
            for node in graph:
                _widen_values(node.outputs)
                _widen_attributes(node)
    for body in bodies(model):
        for graph in list(nested_graphs(body)):
            _remove_casts(graph)


def _widen_values(values: Iterable[ir.Value]) -> None:
    for value in values:
        if value.dtype == _NARROW:
            value.type = ir.TensorType(_WIDE)  # not in place: lowering shares the objects
            if value.const_value is not None:
                value.const_value = _widened(value.const_value)


def _widened(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    array = tensor.numpy().astype(np.float32)
    kind = Constant if isinstance(tensor, Constant) else ir.Tensor
    return kind(array, name=tensor.name)


def _widen_attributes(node: ir.Node) -> None:
    for attribute in list(node.attributes.values()):
        if attribute.type == ir.AttributeType.TENSOR:
            tensor = attribute.as_tensor()
            if tensor.dtype == _NARROW:
                node.attributes.add(ir.AttrTensor(attribute.name, _widened(tensor)))
        elif attribute.name in ("to", *TYPE_ATTRIBUTES) and attribute.as_int() == int(_NARROW):
            node.attributes.add(ir.AttrInt64(attribute.name, int(_WIDE)))


def _remove_casts(graph: ir.Graph) -> None:
    for node in list(graph):
        source, result = (*node.inputs[:1], None)[0], node.outputs[0]
        if node.op_type != "Cast" or node.domain != "" or source is None:
            continue
        if source.dtype != _WIDE or result.dtype != _WIDE:
            continue
        if result.is_graph_output():
            copy = ir.Node("", "Identity", [source], name=node.name)
            copy.outputs[0].type, copy.outputs[0].shape = result.type, result.shape
            copy.outputs[0].name = result.name
            graph.insert_after(node, copy)
            result.replace_all_uses_with(copy.outputs[0], replace_graph_outputs=True)
        else:
            result.replace_all_uses_with(source)
        graph.remove(node, safe=True)
