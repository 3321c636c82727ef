"""New nodes in a graph that is being legalised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike, DTypeLike

from jax2onnx.graph.constants import Constant, constant_node

Size = int | ir.SymbolicDim


class Maker:
    """Makes the nodes that are to stand for another one, or to correct its result.

    Args:
        node: the node. The names and the metadata of the new nodes come from it.

    Attributes:
        nodes: the new nodes, in topological order. They are in no graph yet.
    """

    def __init__(self, node: ir.Node) -> None:
        self._node = node
        self.nodes: list[ir.Node] = []

    def add(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        *attributes: ir.Attr,
        dtype: ir.DataType | None,
        shape: ir.Shape | Iterable[Size] | None,
    ) -> ir.Value:
        """Make a node with one output.

        Args:
            op_type: the operator.
            inputs: its inputs; None leaves an optional one out.
            attributes: its attributes.
            dtype: the element type of the output.
            shape: the shape of the output; None if it is not known.
        """
        node = ir.Node("", op_type, inputs, attributes)
        node.name = f"{self._node.name}/{op_type}"
        node.metadata_props.update(self._node.metadata_props)
        result, old = node.outputs[0], self._node.outputs[0]
        result.type = None if dtype is None else ir.TensorType(dtype)
        result.shape = None if shape is None else ir.Shape(shape)
        result.name = None if old.name is None else f"{old.name}.{op_type}"
        self.nodes.append(node)
        return result

    def constant(self, data: ArrayLike, dtype: DTypeLike = np.int64) -> ir.Value:
        """Make a constant, as a node, since functions have no initializers."""
        node = constant_node(Constant(np.asarray(data, dtype)))
        self.nodes.append(node)
        return node.outputs[0]
