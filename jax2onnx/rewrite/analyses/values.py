"""Reading a graph: the questions that rules ask of values, each with a short answer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.constants import Constant, constant_tensor
from jax2onnx.graph.sizes import Dim, Dims, product

Array: TypeAlias = np.ndarray[Any, Any]

_SINGLE_PRECISION = frozenset((ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16))
_FLOATING = _SINGLE_PRECISION | {ir.DataType.DOUBLE}
VIEWS = frozenset(("Reshape", "Squeeze", "Unsqueeze"))
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


class Primitive(NamedTuple):
    """A primitive of JAX that a graph spells out: its name, its operands and its params."""

    name: str
    operands: tuple[ir.Value, ...]
    params: Mapping[str, Any]


def dims(value: ir.Value) -> Dims:
    """The dimensions of ``value``: integers, and sizes that are known when the model runs."""
    assert value.shape is not None, f"{value.name} has no shape"
    return cast(Dims, value.shape.dims)


def rank(value: ir.Value) -> int:
    """The number of axes of ``value``."""
    assert value.shape is not None, f"{value.name} has no shape"
    return len(value.shape)


def is_float(value: ir.Value) -> bool:
    """Whether ``value`` is a floating-point tensor of any width."""
    return value.dtype in _FLOATING


def is_single(value: ir.Value) -> bool:
    """Whether ``value`` is a float of 32 bits or fewer.

    Operators that compute in float32 whatever they are given would round a double.
    """
    return value.dtype in _SINGLE_PRECISION


def made_by(value: ir.Value | None, *op_types: str) -> ir.Node | None:
    """The node that computes ``value``, if it is one of these standard operators."""
    node = None if value is None else value.producer()
    if node is not None and node.op_type in op_types and node.domain == "":
        return node
    return None


def the_input(node: ir.Node, index: int = 0) -> ir.Value:
    """An input that the operator cannot do without."""
    value = node.inputs[index]
    assert value is not None, f"{node.op_type} {node.name} lacks input {index}"
    return value


def constant(value: ir.Value | None) -> Array | None:
    """The constant that ``value`` is; None for anything else, parameters of the model included.

    A parameter may lie in a file, and the graph must not depend on what its value happens to be.
    """
    tensor = None if value is None else constant_tensor(value)
    return None if tensor is None else tensor.numpy()


def is_held(value: ir.Value) -> bool:
    """Whether ``value`` is a parameter or constant that lies in memory, not in a file."""
    return type(value.const_value) in (ir.Tensor, Constant)


def scalar(value: ir.Value | None) -> float | None:
    """The number that a one-element constant holds."""
    array = constant(value)
    return float(array.reshape(())) if array is not None and array.size == 1 else None


def filled(value: ir.Value | None) -> float | None:
    """The number that every element of a constant holds, broadcast or not."""
    while (node := made_by(value, "Expand", *VIEWS)) is not None:
        value = node.inputs[0]
    array = constant(value)
    if array is None or not array.size or (array != array.flat[0]).any():
        return None
    return float(array.flat[0])


def integers(value: ir.Value | None) -> tuple[int, ...] | None:
    """The numbers of an integer constant, such as the axes of a reduction."""
    array = constant(value)
    if array is None or array.dtype.kind not in "iu":
        return None
    return tuple(int(i) for i in array.reshape(-1))


def axes(node: ir.Node) -> tuple[int, ...] | None:
    """The axes (not negative, in order) of a Reduce, Squeeze or Unsqueeze that are constant."""
    given = integers(node.inputs[1]) if len(node.inputs) > 1 else None
    if given is None:
        return None
    longer = node.outputs[0] if node.op_type == "Unsqueeze" else the_input(node)
    return tuple(sorted(a % rank(longer) for a in given))


def stands_for(value: ir.Value) -> Primitive | None:
    """The primitive without an operator of its own that ``value`` is."""
    found = value.meta.get("stands_for")
    if found is None:
        return None
    name, operands, params = found
    operands = tuple(map(_current, operands))
    return Primitive(name, operands, params) if all(map(exists, operands)) else None


def _current(value: ir.Value) -> ir.Value:
    while not exists(value) and "replaced_by" in value.meta:
        value = value.meta["replaced_by"]
    return value


def exists(value: ir.Value) -> bool:
    """Whether ``value`` is an input or a constant, or made by a node that was not removed."""
    node = value.producer()
    return node is None or node.graph is not None


def attribute(node: ir.Node, name: str, default: Any = None) -> Any:
    """The value of an attribute, or its default."""
    found = node.attributes.get(name)
    return default if found is None else found.value


def permutation(value: ir.Value) -> tuple[int, ...] | None:
    """The permutation of the Transpose that makes ``value``."""
    node = made_by(value, "Transpose")
    if node is None:
        return None
    default = range(rank(value) - 1, -1, -1)
    return tuple(attribute(node, "perm", default))


def users(value: ir.Value) -> Iterator[ir.Node]:
    """The nodes that read ``value``, in the order in which they were connected."""
    for use in value.uses():
        yield use.node


def only_user(value: ir.Value) -> ir.Node | None:
    """The one node that reads ``value``, if there is one and it reads it once."""
    uses = value.uses()
    if len(uses) != 1 or value.is_graph_output():
        return None
    return next(iter(uses)).node


def without_ones(value: ir.Value) -> ir.Value:
    """``value`` as it was before axes of size 1 were added or removed."""
    while (node := made_by(value, *VIEWS)) is not None:
        source = the_input(node)
        if [d for d in dims(source) if d != 1] != [d for d in dims(value) if d != 1]:
            break
        value = source
    return value


def kept(value: ir.Value, x: ir.Value, along: Collection[int]) -> bool:
    """Whether ``value`` lies beside x as a reduction of x along these axes that keeps them."""
    aligned = (1,) * (rank(x) - rank(value)) + dims(value)
    return aligned == tuple(1 if i in along else d for i, d in enumerate(dims(x)))


def broadcast(*shapes: Dims) -> Dims | None:
    """The shape that shapes broadcast to, None where two named sizes would have to agree."""
    result: list[Dim] = []
    for shape in shapes:
        result[:0] = [1] * (len(shape) - len(result))
        for i, d in enumerate(reversed(shape), 1):
            if d != 1 and result[-i] not in (1, d):
                return None
            if d != 1:
                result[-i] = d
    return tuple(result)


def flat(value: ir.Value) -> Dims:
    """The shape of ``value`` as a matrix of its last axis."""
    *rows, last = dims(value)
    return product(rows), last
