"""A view of a value is the cheapest node that gives its shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from jax import export

from jax2onnx.rewrite.analyses.nodes import maker
from jax2onnx.rewrite.analyses.shapes import can_view, size, vector, view
from jax2onnx.rewrite.analyses.values import constant, dims, integers
from jax2onnx.testing.sketch import Sketch, dims_of

B, T = export.symbolic_shape("B, T")


@pytest.mark.parametrize(
    ("old", "new", "added", "operand"),
    [
        ((2, 3), (2, 3), [], None),
        ((2, 3), (1, 2, 3), ["Unsqueeze"], (0,)),
        ((B, 1, 3), (B, 3), ["Squeeze"], (1,)),
        ((B, 2, 3), (B, 6), ["Reshape"], (-1, 6)),
        ((B, T, 6), (B, T, 2, 3), ["Reshape"], (0, 0, 2, 3)),
    ],
)
def test_view(old: Any, new: Any, added: list[str], operand: tuple[int, ...] | None) -> None:
    sketch = Sketch(old)
    shape = dims_of(new)
    assert can_view(sketch.inputs[0], shape)
    seen = view(sketch.editor, sketch.end, sketch.inputs[0], shape)
    assert dims(seen) == shape
    assert sketch.op_types == added
    if operand is not None:
        node = maker(seen)
        assert integers(node.inputs[1]) == operand


def test_view_of_a_constant_is_a_constant() -> None:
    sketch = Sketch((2,))
    array = np.arange(6, dtype=np.float32)
    seen = constant(view(sketch.editor, sketch.end, sketch.editor.constant(array), dims_of((2, 3))))
    assert seen is not None
    np.testing.assert_array_equal(seen, array.reshape(2, 3))


def test_view_of_a_reshape_starts_from_its_operand() -> None:
    sketch = Sketch((2, 3))
    (x,) = sketch.inputs
    flat = sketch.op.Reshape(x, [6], shape=(6,))
    assert view(sketch.editor, sketch.end, flat, (2, 3)) is x
    other = view(sketch.editor, sketch.end, flat, (3, 2))
    node = maker(other)
    assert node.inputs[0] is x


def test_view_computes_a_shape_that_is_not_constant() -> None:
    sketch = Sketch((B * T, 6), (B, T))
    x, sizes = sketch.inputs
    shape = dims_of((B, T, 6))
    assert not can_view(x, shape)
    seen = view(sketch.editor, sketch.end, x, shape, sizes=sizes)
    assert dims(seen) == shape
    assert sketch.op_types == ["Shape", "Shape", "Concat", "Reshape"]
    # The shape is computed from the inputs once, at the start of the graph.
    view(sketch.editor, sketch.end, sketch.op.Neg(x), shape, sizes=sizes)
    assert sketch.op_types.count("Shape") == 2
    assert sketch.op_types.count("Concat") == 1


def test_size_and_vector_of_known_sizes_are_constants() -> None:
    sketch = Sketch((2, B))
    (x,) = sketch.inputs
    known = size(sketch.editor, sketch.end, x, 0)
    assert integers(known) == (2,)
    assert integers(vector(sketch.editor, sketch.end, [known, known])) == (2, 2)
    unknown = size(sketch.editor, sketch.end, x, 1)
    node = maker(unknown)
    assert (node.attributes["start"].as_int(), node.attributes["end"].as_int()) == (1, 2)
    joined = vector(sketch.editor, sketch.end, [unknown, known])
    assert dims(joined) == (2,)
    assert sketch.op_types == ["Shape", "Concat"]


def test_a_size_that_no_input_has_is_read_from_the_value() -> None:
    sketch = Sketch((B,))
    inner = sketch.op.Compress(sketch.inputs[0], shape=dims_of((T,)))
    read = size(sketch.editor, sketch.end, inner, 0)
    node = maker(read)
    assert node.inputs[0] is inner
