"""The operator that ``reshaping`` returns gives the requested shape when it runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import export
from onnx.reference import ReferenceEvaluator

from jax2onnx.graph.shapes import constant_target, ones_between, reshaping
from jax2onnx.graph.sizes import Dims, known, shape_of

B, T = export.symbolic_shape("B, T")
VALUES = {"B": 3, "T": 5}


def sizes(*expressions: Any) -> Dims:
    dims: Any = shape_of(expressions).dims
    return tuple(dims)


def numbers(shape: Dims) -> tuple[int, ...]:
    """Return a shape for ``VALUES``, where its sizes are products of numbers and names."""
    return tuple(d if isinstance(d, int) else _value(str(d.value)) for d in shape)


def _value(text: str) -> int:
    powers = (factor.partition("^") for factor in text.split("*"))
    return math.prod(
        VALUES.get(base, base.isdigit() and int(base)) ** int(power or 1)
        for base, _, power in powers
    )


def applied(old: Dims, new: Dims) -> tuple[int, ...] | None:
    """Return the shape to which the operator reshapes a tensor of shape ``old`` when it runs."""
    op_type, operand = reshaping(old, new)
    if operand is None:
        return None
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op_type, ["x", "operand"], ["y"])],
        "reshaping",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, None)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.asarray(operand, np.int64), "operand")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 23)])
    (result,) = ReferenceEvaluator(model).run(None, {"x": np.zeros(numbers(old), np.float32)})
    return np.shape(result)


@st.composite
def two_views(draw: st.DrawFn) -> list[Dims]:
    """Draw two shapes of the same elements, with some neighbours multiplied and some 1 inserted."""
    atoms = draw(st.lists(st.sampled_from([1, 2, 3, B, T]), max_size=5))
    views = []
    for _ in range(2):
        dims: list[Any] = []
        for atom in atoms:
            change = draw(st.sampled_from(["multiply", "insert 1", "neither"]))
            if dims and change == "multiply":
                dims[-1] = dims[-1] * atom
            else:
                dims += [1, atom] if change == "insert 1" else [atom]
        views.append(sizes(*dims))
    return views


@settings(deadline=None, max_examples=300)
@given(two_views())
def test_two_shapes_of_the_same_elements(views: list[Dims]) -> None:
    old, new = views
    assert applied(old, new) in (None, numbers(new))
    if known(new) is not None:
        assert applied(old, new) == numbers(new)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((2, 3), (2, 1, 3), ("Unsqueeze", [1])),
        ((B,), (1, B, 1), ("Unsqueeze", [0, 2])),
        ((1, 1), (1,), ("Squeeze", [0])),
        ((B, 1, T), (B, T), ("Squeeze", [1])),
        ((2, 3), (6,), ("Reshape", [6])),
        ((B, 2, 3), (B, 6), ("Reshape", [-1, 6])),
        ((B, T, 2, 3), (B, T, 6), ("Reshape", [0, 0, 6])),
        ((B, T, 6), (B * T, 6), ("Reshape", [-1, 6])),
        ((B * T, 6), (B, T, 6), ("Reshape", None)),
        ((B, 2, T), (B, 2 * T), ("Reshape", [0, -1])),
        ((0, B, 2), (0, 2 * T), ("Reshape", None)),
        ((0, 3), (3, 0), ("Reshape", [3, 0])),
    ],
)
def test_reshaping(old: Any, new: Any, expected: object) -> None:
    assert reshaping(sizes(*old), sizes(*new)) == expected


def test_ones_between() -> None:
    assert ones_between((1,), (1, 1)) == [0]
    assert ones_between((2,), (2, 1)) == [1]
    assert ones_between((2, 3), (2, 3)) == []
    assert ones_between((1, 4), (1, 4, 1, 1)) == [2, 3]
    assert ones_between((1, 4, 1), (1, 1, 4, 1)) == [0]
    assert ones_between((1, 1), (2, 1)) is None
    assert ones_between((2, 3), (3, 1, 2)) is None
    assert ones_between((2,), (1, 1)) is None


def test_a_copied_size_must_keep_its_position() -> None:
    assert constant_target(sizes(2, B, T), sizes(B, T, 2)) is None
    assert constant_target(sizes(2, B, T), sizes(B, 2 * T)) is None
    assert constant_target(sizes(B, T, 2), sizes(B, T, 2)) == [0, 0, 2]
