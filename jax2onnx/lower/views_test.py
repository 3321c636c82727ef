from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from jax2onnx.lower.builder import Builder
from jax2onnx.lower.dims import Dimensions
from jax2onnx.lower.views import Views
from jax2onnx.trace.dimensions import dimension_parser


def views(*shape: int | str) -> tuple[Views, ir.Value]:
    """Return the views of a graph with one float input, and that input."""
    builder = Builder(23)
    x = builder.new_value("x", ir.DataType.FLOAT, dimension_parser([])(shape))
    return Views(builder, Dimensions(builder, [x])), x


def made(of: Views) -> list[str]:
    return [node.op_type for node in of.builder.nodes]


def test_numbers_take_the_type_of_the_first_value_and_lists_are_int64() -> None:
    of, x = views(3)
    number, ints, array, none, value = of.operands([1, [1, 2], np.ones(2, np.float16), None, x])
    assert [v.dtype for v in (number, ints, array) if v is not None] == [
        ir.DataType.FLOAT,
        ir.DataType.INT64,
        ir.DataType.FLOAT16,
    ]
    assert none is None
    assert value is x
    (alone,) = of.operands([1.5])
    assert alone is not None
    assert alone.dtype == ir.DataType.DOUBLE


def test_attributes_of_none_are_left_out() -> None:
    of, x = views(3)
    node = of.op.Op(x, axis=1, other=None).producer()
    assert node is not None
    assert list(node.attributes) == ["axis"]


def test_inverse_permutations_give_the_first_value() -> None:
    of, x = views(2, 3, 4)
    turned = of.transpose(x, [1, 2, 0])
    assert of.dims(turned) == (3, 4, 2)
    assert of.transpose(turned, [2, 0, 1]) is x
    assert of.transpose(x, [0, 1, 2]) is x
    twice = of.transpose(turned, [1, 2, 0])
    node = twice.producer()
    assert node is not None
    assert node.inputs[0] is x
    assert list(node.attributes["perm"].as_ints()) == [2, 0, 1]
    assert of.dims(twice) == (4, 2, 3)


def test_a_reshape_starts_from_the_first_of_a_chain() -> None:
    of, x = views(2, 3, 4)
    flat = of.reshape(x, (24,))
    assert of.reshape(flat, (2, 3, 4)) is x
    node = of.reshape(flat, (6, 4)).producer()
    assert node is not None
    assert node.inputs[0] is x


@pytest.mark.parametrize(
    ("old", "new", "op_type"),
    [
        ((2, 3), (2, 1, 3), "Unsqueeze"),
        ((1, 2, 3), (2, 3), "Squeeze"),
        ((2, 3), (3, 2), "Reshape"),
        (("B", 3), ("B", 3, 1), "Unsqueeze"),
        (("B", 4), ("B", 2, 2), "Reshape"),
    ],
)
def test_a_reshape_is_the_simplest_operator(
    old: tuple[int | str, ...], new: tuple[int | str, ...], op_type: str
) -> None:
    of, x = views(*old)
    dims = tuple(of.dims(x)[0] if d == "B" else d for d in new)
    of.reshape(x, dims)  # type: ignore[arg-type]
    assert made(of) == [op_type]


def test_broadcasts_are_removed_where_the_operator_broadcasts() -> None:
    of, x = views(3)
    wide = of.broadcast(x, (2, 3))
    assert of.broadcast(x, (3,)) is x
    other = of.builder.new_value("y", ir.DataType.FLOAT, (2, 3))
    assert of.unbroadcast([wide, other], (2, 3)) == [x, other]
    assert of.unbroadcast([wide, wide], (2, 3)) == [x, wide]  # One of them has to stay.


def test_repeating_constants_are_reduced_only_if_bits_are_equal() -> None:
    of, x = views(2, 3)
    ones = of.builder.constant(np.ones((2, 3), np.float32))
    (undone, _) = of.unbroadcast([ones, x], (2, 3))
    assert of.dims(undone) == ()
    zeros = of.builder.constant(np.array([0.0, -0.0, 0.0], np.float32))
    assert of.unbroadcast([zeros, x], (2, 3))[0] is zeros


def test_views_without_elements() -> None:
    of, x = views("B")
    (size,) = of.dims(x)
    assert of.builder.array(of.empty(np.float32, (0, 2))) is not None
    assert made(of) == []
    empty = of.broadcast(of.builder.constant(np.zeros((1, 0), np.float32)), (size, 0))
    assert made(of)[-1] == "ConstantOfShape"
    assert empty.dtype == ir.DataType.FLOAT


def test_shapes_as_tensors() -> None:
    of, x = views("B")
    (size,) = of.dims(x)
    np.testing.assert_array_equal(of.builder.array(of.shape_tensor((2, 3))), [2, 3])
    assert of.dims(of.shape_tensor((size, 2, 3))) == (3,)
    concat = of.shape_tensor((2, 3, size, 4)).producer()
    assert concat is not None
    assert concat.op_type == "Concat"
    assert [of.builder.dims(v) for v in concat.inputs if v is not None] == [(2,), (1,), (1,)]
    assert of.shape_tensor((size,)) is of.dimensions.value(size)
    assert of.dims(of.dim_scalar(size)) == ()


def test_casts_of_values_without_a_type_are_refused() -> None:
    of, x = views(2)
    assert of.cast(x, np.float16).dtype == of.cast(x, ir.DataType.FLOAT16).dtype
    with pytest.raises(AssertionError, match="has none"):
        of.cast(x, ir.Value().dtype)


def test_nodes_with_several_outputs() -> None:
    of, x = views(4)
    values, places = of.several(
        "TopK", x, [2], types=[(np.float32, (2,)), (ir.DataType.INT64, (2,))], axis=0
    )
    assert (values.dtype, places.dtype) == (ir.DataType.FLOAT, ir.DataType.INT64)
    assert of.dims(places) == (2,)
