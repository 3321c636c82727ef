"""NaN in the results of kernels that ignore it.

ONNX Runtime's ReduceMax and ReduceMin ignore NaN, whereas numpy, JAX and ONNX's reference evaluator
propagate it. A second reduction, of IsNaN, finds the results that must be NaN. This pass runs after
rewriting, since an operator such as Softmax that replaces the reduction needs no help.
"""

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.walk import bodies, nested_graphs
from jax2onnx.legalise.nodes import Maker

_DROP_NAN = frozenset(("ReduceMax", "ReduceMin"))


def keep_nan(model: ir.Model) -> None:
    """Make every reduction of floats that ignores NaN propagate it, in place."""
    for body in bodies(model):
        for graph in nested_graphs(body):
            for node in tuple(graph):
                if node.op_type in _DROP_NAN and _may_be_nan(node.inputs[0]):
                    _guard(graph, node)


def _may_be_nan(value: ir.Value | None) -> bool:
    if value is None or value.dtype is None or not value.dtype.is_floating_point():
        return False
    node = value.producer()
    source = node.inputs[0] if node is not None and node.op_type == "Cast" else value
    return source is None or source.dtype is None or source.dtype.is_floating_point()


def _guard(graph: ir.Graph, node: ir.Node) -> None:
    x, result = node.inputs[0], node.outputs[0]
    assert x is not None
    assert result.dtype is not None
    make = Maker(node)
    missing = make.add("IsNaN", [x], dtype=ir.DataType.BOOL, shape=x.shape)
    some = make.add(
        "ReduceMax",
        [missing, *node.inputs[1:]],
        *node.attributes.values(),
        dtype=ir.DataType.BOOL,
        shape=result.shape,
    )
    nan = make.constant(np.nan, result.dtype.numpy())
    kept = make.add("Where", [some, nan, result], dtype=result.dtype, shape=result.shape)
    result.replace_all_uses_with(kept, replace_graph_outputs=True)
    make.nodes[-1].replace_input_with(2, result)  # The line above replaced this input too.
    kept.name, result.name = result.name, f"{result.name}.numbers"
    graph.insert_after(node, make.nodes)
