"""Nodes of a graph: how to reach them from a value, and kinds of operators."""

from collections.abc import Iterator
from typing import Any

import onnx_ir as ir

UNARY = frozenset(
    (
        *("Abs", "BitwiseNot", "Cast", "Ceil", "Celu", "Cos", "Elu", "Erf", "Exp", "Floor", "Gelu"),
        *("HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Log", "Mish"),
        *("Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin"),
        *("Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu"),
    )
)
"""Elementwise operators of one operand."""


BROADCASTING = frozenset(
    (
        *("Add", "And", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater"),
        *("GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Or", "Pow"),
        *("Sub", "Where", "Xor"),
    )
)
"""Elementwise operators that broadcast their operands, each to the shape of the result."""


def made_by(value: ir.Value | None, *op_types: str) -> ir.Node | None:
    """Return the node that computes ``value``, if it is one of these standard operators.

    Inputs and initializers are computed by no node.
    """
    node = None if value is None else value.producer()
    if node is not None and node.op_type in op_types and node.domain == "":
        return node
    return None


def maker(value: ir.Value) -> ir.Node:
    """Return the node that computes ``value``, which is no input and no initializer."""
    node = value.producer()
    assert node is not None, f"no node computes {value.name}"
    return node


def the_input(node: ir.Node, index: int = 0) -> ir.Value:
    """Return an input that the operator requires."""
    value = node.inputs[index]
    assert value is not None, f"{node.op_type} {node.name} lacks input {index}"
    return value


def attribute(node: ir.Node, name: str, default: Any = None) -> Any:
    """Return the value of a node's attribute, or the default where it is not given."""
    found = node.attributes.get(name)
    return default if found is None else found.value


def users(value: ir.Value) -> Iterator[ir.Node]:
    """Yield the nodes that read ``value``, in the order in which they were connected."""
    for use in value.uses():
        yield use.node


def only_user(value: ir.Value) -> ir.Node | None:
    """Return the node that reads ``value``, if nothing else does: no other one, and no output."""
    uses = value.uses()
    if len(uses) != 1 or value.is_graph_output():
        return None
    return next(iter(uses)).node
