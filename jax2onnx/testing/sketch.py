"""Graphs that tests build node by node, without tracing anything."""

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir

from jax2onnx.graph.sizes import Dims, shape_of
from jax2onnx.rewrite.engine.editor import Editor, Operators

FLOAT = ir.DataType.FLOAT


def value(name: str, dims: Sequence[Any], dtype: ir.DataType = FLOAT) -> ir.Value:
    """Return a value that no node computes; dimensions may be JAX dimension expressions."""
    return ir.Value(name=name, type=ir.TensorType(dtype), shape=shape_of(dims))


class Sketch:
    """A graph with inputs ``x0``, ``x1``, ... and one node, in front of which tests add others.

    Args:
        shapes: The dimensions of the inputs, which are float32.
        function: Whether the graph is the body of a function.

    Attributes:
        inputs: The inputs.
        editor: The editor of the graph.
        end: The node; it stands for whatever follows.
        op: The operators, which add nodes in front of it.
    """

    def __init__(self, *shapes: Sequence[Any], function: bool = False) -> None:
        self.inputs = [value(f"x{i}", shape) for i, shape in enumerate(shapes)]
        self.end = ir.Node("", "Identity", self.inputs[:1], name="end")
        self.end.outputs[0].shape = self.inputs[0].shape
        self.end.outputs[0].type = self.inputs[0].type
        graph = ir.Graph(
            self.inputs, self.end.outputs, nodes=[self.end], opset_imports={"": 23}, name="sketch"
        )
        self.editor = Editor(graph, opset=23, function=function)

    @property
    def op(self) -> Operators:
        """The operators, which add nodes in front of the last one."""
        return self.editor.before(self.end)

    @property
    def op_types(self) -> list[str]:
        """The op types of the graph's nodes, in order, without the last one."""
        return [node.op_type for node in self.editor.body if node is not self.end]

    def parameter(self, array: Any, name: str = "w") -> ir.Value:
        """Return an initializer that is a parameter of the model."""
        made = ir.val(name, const_value=ir.tensor(array, name=name))
        self.editor.body.register_initializer(made)
        return made


def dims_of(shape: Sequence[Any]) -> Dims:
    """Return dimensions, given integers and JAX dimension expressions."""
    made: Any = shape_of(shape).dims
    return tuple(made)
