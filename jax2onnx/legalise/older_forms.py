"""The operators of newer operator sets, in the forms that older sets have.

Lowering writes an operator as operator set 21 and later have it, and rewriting makes only operators
that the chosen set has. So few operators are left that an older set lacks, or has in another form.
Each entry of ``_FORMS`` replaces one of them, up to the operator set that introduced the newer form
(https://github.com/onnx/onnx/blob/main/docs/Changelog.md). What has no entry, such as a cast to
an 8-bit float, has no kernel in the older set, which ``legalise`` reports.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.constants import constant_tensor
from jax2onnx.graph.walk import bodies, nested_graphs
from jax2onnx.legalise.nodes import Maker

_LOGICAL = {"BitwiseAnd": "And", "BitwiseOr": "Or", "BitwiseXor": "Xor"}


def older_forms(model: ir.Model, opset: int) -> None:
    """Replace what operator set ``opset`` lacks, in place.

    Args:
        model: a model whose nodes have element types.
        opset: the version of the default operator set, 13 or later.
    """
    forms = {name: form for name, (since, form) in _FORMS.items() if opset < since}
    if not forms:
        return
    for body in bodies(model):
        for graph in nested_graphs(body):
            for node in tuple(graph):
                if node.domain == "" and node.op_type in forms:
                    _replace(graph, node, forms[node.op_type])


def _replace(graph: ir.Graph, node: ir.Node, form: Callable[[Maker, ir.Node], None]) -> None:
    make = Maker(node)
    form(make, node)
    if make.nodes:
        made = make.nodes[-1].outputs
        ir.convenience.replace_nodes_and_values(graph, node, [node], make.nodes, node.outputs, made)


def _axes_as_attribute(make: Maker, node: ir.Node) -> None:
    """Move the axes of a reduction to an attribute, as before operator set 18."""
    node.attributes.pop("noop_with_empty_axes", None)
    if len(node.inputs) == 2:
        axes = _known(node.inputs[1])
        node.resize_inputs(1)
        node.attributes.add(ir.AttrInt64s("axes", axes))


def _slice_of_shape(make: Maker, node: ir.Node) -> None:
    """Shape gives all sizes before operator set 15."""
    start, end = node.attributes.get_int("start", 0), node.attributes.get_int("end", _LAST)
    if (start, end) != (0, _LAST):
        (x,) = node.inputs
        rank = None if x is None or x.shape is None else (len(x.shape),)
        sizes = make.add("Shape", [x], dtype=ir.DataType.INT64, shape=rank)
        bounds = [make.constant([bound]) for bound in (start, end)]
        make.add("Slice", [sizes, *bounds], dtype=ir.DataType.INT64, shape=node.outputs[0].shape)


def _axis_of_dft(make: Maker, node: ir.Node) -> None:
    """DFT has its axis as an attribute before operator set 20."""
    if len(node.inputs) == 3:
        (axis,) = _known(node.inputs[2])
        node.resize_inputs(2)
        node.attributes.add(ir.AttrInt64("axis", axis))


def _plain_scatter(make: Maker, node: ir.Node) -> None:
    """ScatterND has no reduction before operator set 16; there, lowering asks for none."""
    if node.attributes.get_string("reduction") == "none":
        node.attributes.pop("reduction")


def _complement(make: Maker, node: ir.Node) -> None:
    """Compute the complement of an integer by its difference from the one with all bits set."""
    (x,), (result,) = node.inputs, node.outputs
    assert x is not None
    assert x.dtype is not None
    ones = make.constant(~np.zeros((), x.dtype.numpy()), x.dtype.numpy())
    make.add("Sub", [ones, x], dtype=x.dtype, shape=result.shape)


def _bit_by_bit(make: Maker, node: ir.Node) -> None:
    """Combine the bits of two integers as booleans, along a new last axis, and add them up."""
    (result,) = node.outputs
    assert result.dtype is not None
    count = result.dtype.bitwidth
    shape = None if result.shape is None else (*result.shape, count)
    columns = [_bits(make, x, count) for x in node.inputs]
    both = make.add(_LOGICAL[node.op_type], columns, dtype=ir.DataType.BOOL, shape=shape)
    word = ir.DataType.UINT64
    digits = make.add("Cast", [both], _to(word), dtype=word, shape=shape)
    powers = make.constant(np.uint64(1) << np.arange(count, dtype=np.uint64), np.uint64)
    # ONNX Runtime's ReduceSum rounds integers of 64 bits, and its MatMul does not.
    total = make.add("MatMul", [digits, powers], dtype=word, shape=result.shape)
    make.add("Cast", [total], _to(result.dtype), dtype=result.dtype, shape=result.shape)


def _bits(make: Maker, x: ir.Value | None, count: int) -> ir.Value:
    """Return the lowest bits of integers as booleans, along a new last axis."""
    assert x is not None
    word = ir.DataType.UINT64
    shape = None if x.shape is None else (*x.shape, count)
    wide = make.add("Cast", [x], _to(word), dtype=word, shape=x.shape)
    column = make.add(
        "Unsqueeze",
        [wide, make.constant([-1])],
        dtype=word,
        shape=None if x.shape is None else (*x.shape, 1),
    )
    shifted = make.add(
        "BitShift",
        [column, make.constant(np.arange(count), np.uint64)],
        ir.AttrString("direction", "RIGHT"),
        dtype=word,
        shape=shape,
    )
    lowest = make.add("Mod", [shifted, make.constant(2, np.uint64)], dtype=word, shape=shape)
    return make.add("Cast", [lowest], _to(ir.DataType.BOOL), dtype=ir.DataType.BOOL, shape=shape)


def _to(dtype: ir.DataType) -> ir.Attr:
    return ir.AttrInt64("to", int(dtype))


def _known(value: ir.Value | None) -> list[int]:
    """Return the elements of a constant, such as axes, which lowering never computes."""
    tensor = None if value is None else constant_tensor(value)
    assert tensor is not None
    return [int(element) for element in tensor.numpy().ravel()]


_LAST = np.iinfo(np.int64).max

_FORMS: dict[str, tuple[int, Callable[[Maker, ir.Node], None]]] = {
    **dict.fromkeys(
        (
            *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax"),
            *("ReduceMean", "ReduceMin", "ReduceProd", "ReduceSumSquare"),
        ),
        (18, _axes_as_attribute),
    ),
    **dict.fromkeys(_LOGICAL, (18, _bit_by_bit)),
    "BitwiseNot": (18, _complement),
    "DFT": (20, _axis_of_dft),
    "ScatterND": (16, _plain_scatter),
    "Shape": (15, _slice_of_shape),
}
"""The operator set that introduced the form that lowering writes, and what goes back to the older
one. That either changes the node, or makes nodes of which the last one replaces it."""
