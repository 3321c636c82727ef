"""The halves of tables are told apart, and computed, as numpy does it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from jax2onnx.rewrite.analyses.pairs import Pairs
from jax2onnx.rewrite.analyses.values import constant, dims
from jax2onnx.testing.sketch import Sketch


def whole(value: ir.Value, *, neighbours: bool = False) -> Pairs:
    width = dims(value)[-1]
    assert isinstance(width, int)
    return Pairs(value, 0, width, neighbours)


def once(sketch: Sketch, pairs: Pairs) -> ir.Value:
    assert pairs.alike
    return pairs.once(sketch.editor, sketch.end)


@pytest.mark.parametrize("parameter", [False, True])
@pytest.mark.parametrize("neighbours", [False, True])
def test_arrays_in_memory(neighbours: bool, parameter: bool) -> None:
    sketch = Sketch((3, 8))
    half = np.arange(12, dtype=np.float32).reshape(3, 4)
    array = half.repeat(2, -1) if neighbours else np.tile(half, 2)
    value = sketch.parameter(array) if parameter else sketch.editor.constant(array)
    found = constant(once(sketch, whole(value, neighbours=neighbours)))
    assert found is not None
    assert (found == half).all()
    assert not whole(value, neighbours=not neighbours).alike


def test_a_value_that_is_joined_with_itself_is_what_is_needed() -> None:
    sketch = Sketch((3, 4), (3, 4))
    x, other = sketch.inputs
    twice = sketch.op.Concat(x, x, axis=-1, shape=(3, 8))
    assert once(sketch, whole(twice)) is x
    mixed = sketch.op.Concat(x, other, axis=-1, shape=(3, 8))
    assert not whole(mixed).alike
    assert not whole(sketch.op.Concat(x, x, axis=0, shape=(6, 4))).alike


def test_elementwise_operators_are_computed_once() -> None:
    sketch = Sketch((3, 4), (3, 1), (3, 8))
    x, column, other = sketch.inputs
    twice = sketch.op.Concat(x, x, axis=-1, shape=(3, 8))
    table = sketch.op.Unsqueeze(sketch.op.Cos(sketch.op.Mul(twice, column)), [0], shape=(1, 3, 8))
    half = once(sketch, whole(table))
    assert dims(half) == (1, 3, 4)
    assert sketch.op_types[-3:] == ["Mul", "Cos", "Unsqueeze"]
    assert once(sketch, whole(table)) is half
    assert not whole(sketch.op.Mul(twice, other)).alike


def test_rows_and_parts_of_a_table() -> None:
    sketch = Sketch((3,))
    half = np.arange(20, dtype=np.float32).reshape(5, 4)
    table = sketch.editor.constant(np.concatenate([np.tile(half, 2), np.tile(-half, 2)], -1))
    rows = sketch.op.Gather(table, sketch.inputs[0], axis=0, shape=(3, 16))
    cos, sin = sketch.op.several("Split", rows, [8, 8], axis=-1, shapes=[(3, 8)] * 2)
    assert not whole(rows).alike
    for part, sign in ((cos, 1), (sin, -1)):
        node = once(sketch, whole(part)).producer()
        assert node is not None
        assert node.op_type == "Gather"
        found = constant(node.inputs[0])
        assert found is not None
        assert (found == sign * half).all()
    other: Any = sketch.op.several("Split", rows, [4, 12], axis=-1, shapes=[(3, 4), (3, 12)])
    assert not whole(other[1]).alike


def test_inputs_are_not_known() -> None:
    assert not whole(Sketch((3, 8)).inputs[0]).alike


def test_a_long_computation_is_read_once() -> None:
    """Each step reads the one before twice, so that there are 2**60 ways back to the beginning."""
    sketch = Sketch((3, 4))
    (x,) = sketch.inputs
    table = sketch.op.Concat(x, x, axis=-1, shape=(3, 8))
    for _ in range(60):
        table = sketch.op.Add(table, sketch.op.Sin(table))
    assert dims(once(sketch, whole(table))) == (3, 4)
