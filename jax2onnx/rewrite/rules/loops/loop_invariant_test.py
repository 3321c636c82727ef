"""Loop-invariant nodes move in front of the loop unless they could do harm there."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
import pytest

from jax2onnx.rewrite.rules.loops.loop_invariant import apply
from jax2onnx.testing.sketch import FLOAT, Sketch, value

INT = ir.DataType.INT64


class Loop:
    """A Loop whose body reads two values from outside and one state.

    Args:
        dtype: The dtype of all values.
    """

    def __init__(self, dtype: ir.DataType = FLOAT) -> None:
        self.sketch = Sketch((2, 3), (2, 3))
        for x in self.sketch.inputs:
            x.type = ir.TensorType(dtype)
        self.dtype = dtype
        self.state = value("state", (2, 3), dtype)
        self.body = ir.Graph([self.state], [], nodes=[], name="body")
        self.loop = ir.Node("", "Loop", [None, None, self.sketch.inputs[0]], num_outputs=1)
        self.loop.attributes.add(ir.AttrGraph("body", self.body))
        self.sketch.editor.body.insert_before(self.sketch.end, self.loop)

    def add(self, op_type: str, *operands: ir.Value, **attributes: Any) -> ir.Value:
        """Add a node to the body."""
        node = ir.node(op_type, operands, attributes)
        node.outputs[0].type, node.outputs[0].shape = ir.TensorType(self.dtype), ir.Shape((2, 3))
        self.body.append(node)
        return node.outputs[0]

    def apply(self) -> list[str]:
        """Apply the rule, and return the op types in front of the loop."""
        before = len(self.sketch.op_types)
        changed = apply(self.sketch.editor, self.loop)
        assert changed is (len(self.sketch.op_types) > before)
        return self.sketch.op_types[:-1]


def test_a_chain_of_nodes_keeps_its_order() -> None:
    loop = Loop()
    x, y = loop.sketch.inputs
    total = loop.add("Add", x, y)
    negated = loop.add("Neg", total)
    inner = loop.add("Mul", negated, loop.state)
    loop.body.outputs.append(inner)
    assert loop.apply() == ["Add", "Neg"]
    assert [node.op_type for node in loop.body] == ["Mul"]


def test_nodes_that_read_loop_values_stay() -> None:
    loop = Loop()
    loop.add("Neg", loop.add("Add", loop.state, loop.sketch.inputs[0]))
    assert loop.apply() == []


@pytest.mark.parametrize("op_type", ["Div", "Mod"])
def test_division_of_integers_stays(op_type: str) -> None:
    """The divisor may be 0 when the loop does not run at all."""
    loop = Loop(INT)
    loop.add(op_type, *loop.sketch.inputs)
    assert loop.apply() == []
    loop = Loop(FLOAT)
    loop.add(op_type, *loop.sketch.inputs)
    assert loop.apply() == [op_type]


@pytest.mark.parametrize("op_type", ["Expand", "Tile", "ConstantOfShape", "Range", "EyeLike"])
def test_nodes_with_results_larger_than_their_operands_stay(op_type: str) -> None:
    loop = Loop()
    loop.add(op_type, *loop.sketch.inputs)
    assert loop.apply() == []


def test_outputs_of_the_body_stay() -> None:
    loop = Loop()
    loop.body.outputs.append(loop.add("Neg", loop.sketch.inputs[0]))
    assert loop.apply() == []


def test_nodes_that_hold_graphs_stay() -> None:
    loop = Loop()
    branch = ir.Graph([], [], nodes=[], name="branch")
    loop.add("If", loop.sketch.inputs[0], then_branch=branch)
    assert loop.apply() == []
