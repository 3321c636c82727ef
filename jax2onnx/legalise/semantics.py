"""What it means to compute an operator in another element type than the model asks for."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from jax2onnx.legalise.element_types import (
    congruent_integers,
    exact_floats,
    is_float,
    wider_floats,
    wider_integers,
)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Each element of the result is an element of an input, or the operator's zero.
_MOVING = _names(
    "CenterCropPad Compress Concat DepthToSpace Expand Flatten Gather GatherElements GatherND "
    "Identity OneHot Pad Reshape ReverseSequence ScatterElements ScatterND Slice SpaceToDepth "
    "Split Squeeze TensorScatter Tile Transpose Trilu Unsqueeze Where"
)
# The result depends only on how the elements of the inputs compare, and consists of such elements,
# indices or truth values.
_COMPARING = _names(
    "ArgMax ArgMin Clip Equal GlobalMaxPool Greater GreaterOrEqual Less LessOrEqual Max MaxPool "
    "Min NonZero ReduceMax ReduceMin Relu Sign TopK Unique"
)
# Modulo 2^n, the result depends only on the inputs modulo 2^n. (Bits are shifted as in unsigned
# integers; ONNX knows no others before operator set 28.)
_RING = _names(
    "Add BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor CumProd CumSum Einsum Equal MatMul "
    "Mul Neg ReduceProd ReduceSum ReduceSumSquare Sub Sum"
)
# For floats, the result has no more significant bits than the inputs.
_UNROUNDED = _names("Abs Ceil Floor Neg Round")
# The element type is what these are about: another one would be another operator.
_TYPED = _names("BitCast CastLike DequantizeLinear QuantizeLinear")

# Attributes that state an output's element type.
TYPE_ATTRIBUTES = ("dtype", "output_dtype", "output_datatype")


def stand_ins(node: ir.Node, dtype: ir.DataType) -> Iterator[ir.DataType]:
    """Types in which `node` gives, cast back to `dtype`, what it would have given in `dtype`.

    1. None, for operators that are about types, and for f64, c64 and the like.
    2. Floats: the wider floats. The result is rounded once, to `dtype`, as XLA does it.
    3. Integers and booleans: the wider integers, which hold every value; what overflows wraps when
       it is cast back.
    4. Integers, where only bits modulo 2^n count: the type of the same width and the other sign.
    5. Integers and booleans, where elements are only moved or compared: the floats that hold them.
    """
    if node.op_type in _TYPED:
        return
    if is_float(dtype):
        yield from wider_floats(dtype)
        return
    if not (dtype.is_integer() or dtype == ir.DataType.BOOL):
        return
    reduction = _scatter_reduction(node)
    yield from wider_integers(dtype)
    if node.op_type in _RING or (node.op_type in _MOVING and reduction in ("none", "add", "mul")):
        yield from congruent_integers(dtype)
    if _selects(node):
        yield from exact_floats(dtype)


def keeps_values(node: ir.Node, dtype: ir.DataType) -> bool:
    """Whether results computed in a wider type than `dtype` are values of `dtype` if inputs are."""
    return _selects(node) or (is_float(dtype) and node.op_type in _UNROUNDED)


def _selects(node: ir.Node) -> bool:
    if node.op_type in _MOVING:
        return _scatter_reduction(node) in ("none", "min", "max")
    return node.op_type in _COMPARING


def _scatter_reduction(node: ir.Node) -> str:
    return str(node.attributes.get_string("reduction", "none"))
