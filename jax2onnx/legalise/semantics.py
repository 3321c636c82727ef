"""The element types in which an operator computes the same as in the type that the model states."""

from collections.abc import Iterator

import onnx_ir as ir

from jax2onnx.legalise.element_types import (
    exact_floats,
    same_width_integers,
    wider_floats,
    wider_integers,
)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Operators that move elements: each element of the result is one of an input, or zero.
_MOVING = _names(
    "CenterCropPad Compress Concat DepthToSpace Expand Flatten Gather GatherElements GatherND "
    "Identity OneHot Pad Reshape ReverseSequence ScatterElements ScatterND Slice SpaceToDepth "
    "Split Squeeze TensorScatter Tile Transpose Trilu Unsqueeze Where"
)
# Operators that compare elements: the result depends only on their order. It consists of elements
# of the inputs, indices or truth values.
_COMPARING = _names(
    "ArgMax ArgMin Clip Equal GlobalMaxPool Greater GreaterOrEqual Less LessOrEqual Max MaxPool "
    "Min NonZero ReduceMax ReduceMin Relu Sign TopK Unique"
)
# Operators of modular arithmetic: modulo 2^n, the result depends only on the inputs modulo 2^n.
# (BitShift shifts as in unsigned integers, and takes no others before operator set 28.)
_RING = _names(
    "Add BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor CumProd CumSum Einsum Equal MatMul "
    "Mul Neg ReduceProd ReduceSum ReduceSumSquare Sub Sum"
)
# Operators whose floating-point result has no more significant bits than their inputs.
_UNROUNDED = _names("Abs Ceil Floor Neg Round")
# Operators that are about the element type: in another type they compute something else.
_TYPED = _names("BitCast CastLike DequantizeLinear QuantizeLinear")

# The attributes that state the element type of an output.
TYPE_ATTRIBUTES = ("dtype", "output_dtype", "output_datatype")


def substitute_types(node: ir.Node, dtype: ir.DataType) -> Iterator[ir.DataType]:
    """Yield the types in which a node computes, cast back to ``dtype``, what it would in ``dtype``.

    1. No type for operators that are about types, nor for f64, complex types and the like.
    2. For floats, the wider floats. The result is rounded once, to ``dtype``, as in XLA.
    3. For integers and booleans, the wider integers. A result that overflows wraps when it is cast
       back.
    4. For integers in modular arithmetic, the type of the same width and the other signedness.
    5. For integers and booleans that are only moved or compared, the floats that hold all of them.

    Args:
        node: the node that the runtime has no kernel for.
        dtype: the type of some of its inputs or outputs.
    """
    if node.op_type in _TYPED:
        return
    if dtype.is_floating_point():
        yield from wider_floats(dtype)
        return
    if not (dtype.is_integer() or dtype == ir.DataType.BOOL):
        return
    reduction = _scatter_reduction(node)
    yield from wider_integers(dtype)
    if node.op_type in _RING or (node.op_type in _MOVING and reduction in ("none", "add", "mul")):
        yield from same_width_integers(dtype)
    if _selects(node):
        yield from exact_floats(dtype)


def casts_back_exactly(node: ir.Node, dtype: ir.DataType) -> bool:
    """Return whether casting the result back to ``dtype`` loses nothing if the inputs have it."""
    return _selects(node) or (dtype.is_floating_point() and node.op_type in _UNROUNDED)


def _selects(node: ir.Node) -> bool:
    if node.op_type in _MOVING:
        return _scatter_reduction(node) in ("none", "min", "max")
    return node.op_type in _COMPARING


def _scatter_reduction(node: ir.Node) -> str:
    return str(node.attributes.get_string("reduction", "none"))
