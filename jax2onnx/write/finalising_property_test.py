"""Finalising keeps the meaning of any graph, with nodes in any order and with any names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from hypothesis import given, settings
from hypothesis import strategies as st

from jax2onnx.write import finalise, to_proto

FLOAT = ir.DataType.FLOAT
Array = np.ndarray[Any, Any]

BINARY: dict[str, np.ufunc] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Max": np.maximum,
}

NAMES = st.sampled_from(
    [None, "x", "x_1", "y", "Add", "val_3", "a b", "tab\t", "ü.weight", "\ud800"]
)


@dataclass
class Drawn:
    """Operators with the indices of their operands among inputs, constants and earlier nodes."""

    operators: list[tuple[str, int, int, str | None]]
    constants: list[float]
    outputs: list[int]
    order: list[int]
    branches: list[bool]


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    constants = draw(st.lists(st.sampled_from([0.0, 1.0, 1.0, -2.0]), max_size=3))
    known = 2 + len(constants)
    count = draw(st.integers(1, 12))
    operators = [
        (
            draw(st.sampled_from(sorted(BINARY))),
            draw(st.integers(0, known + i - 1)),
            draw(st.integers(0, known + i - 1)),
            draw(NAMES),
        )
        for i in range(count)
    ]
    return Drawn(
        operators,
        constants,
        draw(st.lists(st.integers(0, known + count - 1), min_size=1, max_size=4)),
        draw(st.permutations(range(count))),
        [draw(st.booleans()) for _ in range(count)],
    )


def floats(*values: float) -> Array:
    return np.array(values, np.float32)


def wrapped(op_type: str, left: ir.Value, right: ir.Value, yes: ir.Value) -> ir.Node:
    """Return an If with the operator in both branches, which read outer values."""
    branches = []
    for name in ("then_branch", "else_branch"):
        inner = typed(ir.node(op_type, [left, right]))
        branches.append(ir.AttrGraph(name, ir.Graph([], inner.outputs, nodes=[inner], name="x")))
    return typed(ir.Node("", "If", [yes], branches))


def typed(node: ir.Node) -> ir.Node:
    node.outputs[0].type, node.outputs[0].shape = ir.TensorType(FLOAT), ir.Shape((2,))
    return node


def build(drawing: Drawn) -> ir.Model:
    inputs = [ir.val("x", FLOAT, (2,)), ir.val("y", FLOAT, (2,))]
    constants = [
        ir.val(f"constant_{i}", const_value=ir.tensor(floats(c, c)))
        for i, c in enumerate(drawing.constants)
    ]
    yes = ir.val("yes", const_value=ir.tensor(np.array(True)))
    values = [*inputs, *constants]
    nodes = []
    for (op_type, left, right, name), branch in zip(
        drawing.operators, drawing.branches, strict=True
    ):
        if branch:
            node = wrapped(op_type, values[left], values[right], yes)
        else:
            node = typed(ir.node(op_type, [values[left], values[right]]))
        node.name = node.outputs[0].name = name
        nodes.append(node)
        values.append(node.outputs[0])
    graph = ir.Graph(
        inputs,
        [values[i] for i in drawing.outputs],
        nodes=[nodes[i] for i in drawing.order],
        initializers=[*constants, yes],
        opset_imports={"": 23},
    )
    return ir.Model(graph, ir_version=11)


def evaluate(drawing: Drawn, x: Array, y: Array) -> list[Array]:
    values = [x, y, *(floats(c, c) for c in drawing.constants)]
    for op_type, left, right, _ in drawing.operators:
        values.append(BINARY[op_type](values[left], values[right]))
    return [values[i] for i in drawing.outputs]


@settings(max_examples=60, deadline=None)
@given(drawn())
def test_finalised_models_are_valid_and_equivalent(drawing: Drawn) -> None:
    model = build(drawing)
    finalise(model)
    proto = to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    data = proto.SerializeToString(deterministic=True)
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    feeds = {"x": floats(3, -1), "y": floats(0.5, 2)}
    with np.errstate(over="ignore"):
        expected = evaluate(drawing, **feeds)
    for result, wanted in zip(session.run(None, feeds), expected, strict=True):
        np.testing.assert_array_equal(result, wanted)
    again = build(drawing)
    finalise(again)
    assert to_proto(again).SerializeToString(deterministic=True) == data
