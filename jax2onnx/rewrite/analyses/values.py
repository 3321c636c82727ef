"""Questions about one value of a graph: its type, its content, and the views it came through."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.constants import Constant, constant_tensor
from jax2onnx.graph.shapes import VIEWS
from jax2onnx.graph.sizes import Dim, Dims, product
from jax2onnx.rewrite.analyses.nodes import attribute, made_by, the_input

Array: TypeAlias = np.ndarray[Any, Any]

_SINGLE_PRECISION = frozenset((ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16))
_FLOATING = _SINGLE_PRECISION | {ir.DataType.DOUBLE}


class Primitive(NamedTuple):
    """A primitive of JAX that lowering decomposed, for want of an ONNX operator.

    Attributes:
        name: The primitive's name, such as ``erfc``.
        operands: The values that it was applied to.
        params: The params of its equation.
    """

    name: str
    operands: tuple[ir.Value, ...]
    params: Mapping[str, Any]


def dims(value: ir.Value) -> Dims:
    """Return the dimensions of ``value``: integers, and `Size` where one is symbolic."""
    assert value.shape is not None, f"{value.name} has no shape"
    return cast(Dims, value.shape.dims)


def rank(value: ir.Value) -> int:
    """Return the number of axes of ``value``."""
    assert value.shape is not None, f"{value.name} has no shape"
    return len(value.shape)


def is_float(value: ir.Value) -> bool:
    """Return whether ``value`` is a floating-point tensor of any width."""
    return value.dtype in _FLOATING


def is_single(value: ir.Value) -> bool:
    """Return whether ``value`` is a float of at most 32 bits.

    Operators that compute in float32 whatever they are given would round a double.
    """
    return value.dtype in _SINGLE_PRECISION


def constant(value: ir.Value | None) -> Array | None:
    """Return the array that ``value`` is, if it is a constant.

    Parameters of the model are no constants: they may lie in files, and the graph must not depend
    on their values.

    Returns:
        The array, of the value's dtype and shape; None for anything but a constant.
    """
    tensor = None if value is None else constant_tensor(value)
    return None if tensor is None else tensor.numpy()


def is_held(value: ir.Value) -> bool:
    """Return whether ``value`` is a parameter or a constant in memory, not in a file."""
    return type(value.const_value) in (ir.Tensor, Constant)


def scalar(value: ir.Value | None) -> float | None:
    """Return the number that a constant of one element holds, whatever its rank; None otherwise."""
    array = constant(value)
    return float(array.reshape(())) if array is not None and array.size == 1 else None


def multiple(node: ir.Node) -> tuple[ir.Value, float] | None:
    """Return the x and the number, not 0, such that a Mul or Div computes x times the number."""
    for x, other in ((0, 1), (1, 0)) if node.op_type == "Mul" else ((0, 1),):
        if number := scalar(node.inputs[other]):
            return the_input(node, x), number if node.op_type == "Mul" else 1 / number
    return None


def filled(value: ir.Value | None) -> float | None:
    """Return the number that all elements of a constant have; broadcasts are seen through."""
    while (node := made_by(value, "Expand", *VIEWS)) is not None:
        value = node.inputs[0]
    array = constant(value)
    if array is None or not array.size or (array != array.flat[0]).any():
        return None
    return float(array.flat[0])


def integers(value: ir.Value | None) -> tuple[int, ...] | None:
    """Return the elements of an integer constant, such as the axes of a reduction."""
    array = constant(value)
    if array is None or array.dtype.kind not in "iu":
        return None
    return tuple(int(i) for i in array.reshape(-1))


def axes(node: ir.Node) -> tuple[int, ...] | None:
    """Return the axes of a reduction, Squeeze or Unsqueeze.

    Returns:
        The axes in ascending order, none of them negative; for Unsqueeze they are axes of the
        result. None if they are not given as a constant.
    """
    given = integers(node.inputs[1]) if len(node.inputs) > 1 else None
    if given is None:
        return None
    longer = node.outputs[0] if node.op_type == "Unsqueeze" else the_input(node)
    return tuple(sorted(a % rank(longer) for a in given))


def stands_for(value: ir.Value) -> Primitive | None:
    """Return the primitive that was decomposed to ``value``; None if it was none.

    Operands that rules have replaced meanwhile are returned as what replaced them.
    """
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
    """Return whether ``value`` is an input, a constant, or the output of a node of the graph."""
    node = value.producer()
    return node is None or node.graph is not None


def permutation(value: ir.Value) -> tuple[int, ...] | None:
    """Return the permutation of the Transpose that computes ``value``; None if none does."""
    node = made_by(value, "Transpose")
    if node is None:
        return None
    default = range(rank(value) - 1, -1, -1)
    return tuple(attribute(node, "perm", default))


def without_ones(value: ir.Value) -> ir.Value:
    """Return ``value`` as it was before views added or removed axes of size 1."""
    while (node := made_by(value, *VIEWS)) is not None:
        source = the_input(node)
        if [d for d in dims(source) if d != 1] != [d for d in dims(value) if d != 1]:
            break
        value = source
    return value


def aligned(value: ir.Value, size: int) -> Dims:
    """Return the shape of ``value`` with leading axes of size 1, up to ``size`` axes."""
    return (1,) * (size - rank(value)) + dims(value)


def kept(value: ir.Value, x: ir.Value, along: Collection[int]) -> bool:
    """Return whether ``value`` has the shape of a reduction of ``x`` that keeps its axes.

    Args:
        value: A value that is broadcast beside ``x``; leading axes of size 1 may be missing.
        x: The value that is reduced.
        along: The axes of the reduction, not negative.
    """
    return aligned(value, rank(x)) == tuple(1 if i in along else d for i, d in enumerate(dims(x)))


def broadcast(*shapes: Dims) -> Dims | None:
    """Return the shape that shapes broadcast to; None if two sizes differ and neither is 1."""
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
    """Return the shape (rows, last axis) of ``value`` as a matrix."""
    *rows, last = dims(value)
    return product(rows), last
