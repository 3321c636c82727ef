"""Each query about a value has the right answer in the cases of its docstring."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from jax import export

from jax2onnx.graph.sizes import product
from jax2onnx.rewrite.analyses import nodes, values
from jax2onnx.rewrite.analyses.nodes import maker
from jax2onnx.testing.sketch import Sketch, dims_of, value

B, T = export.symbolic_shape("B, T")


def test_made_by_finds_only_standard_operators() -> None:
    sketch = Sketch((2,))
    negated = sketch.op.Neg(sketch.inputs[0])
    assert nodes.made_by(negated, "Abs", "Neg") is maker(negated)
    assert nodes.made_by(negated, "Abs") is None
    assert nodes.made_by(sketch.inputs[0], "Neg") is None
    assert nodes.made_by(None, "Neg") is None
    foreign = ir.Node("custom", "Neg", sketch.inputs[:1])
    assert nodes.made_by(foreign.outputs[0], "Neg") is None


def test_scalar_and_filled() -> None:
    sketch = Sketch((2, 3))
    constant = sketch.editor.constant
    assert values.scalar(constant(np.float32(2.5))) == 2.5
    assert values.scalar(constant(np.full((1, 1), 3))) == 3
    assert values.scalar(constant([1, 1])) is None
    assert values.scalar(sketch.inputs[0]) is None
    assert values.scalar(None) is None
    assert values.filled(constant(np.full((2, 2), 7.0))) == 7
    assert values.filled(constant(np.array([7.0, 8.0]))) is None
    assert values.filled(constant(np.zeros((0,)))) is None
    viewed = sketch.op.Unsqueeze(constant(np.float32(2)), [0], shape=(1,))
    assert values.filled(sketch.op.Expand(viewed, [4], shape=(4,))) == 2
    assert values.scalar(sketch.parameter(np.float32(1), "p")) is None


def test_integers() -> None:
    constant = Sketch((2,)).editor.constant
    assert values.integers(constant([3, -1])) == (3, -1)
    assert values.integers(constant(np.array([[1], [2]], np.uint8))) == (1, 2)
    assert values.integers(constant(np.array([1.0]))) is None


def test_axes_are_sorted_and_not_negative() -> None:
    sketch = Sketch((2, 3, 4))
    (x,) = sketch.inputs
    reduced = sketch.op.ReduceSum(x, [-1, 0], keepdims=0, shape=(3,))
    assert values.axes(maker(reduced)) == (0, 2)
    unsqueezed = sketch.op.Unsqueeze(reduced, [-1, 0], shape=(1, 3, 1))
    assert values.axes(maker(unsqueezed)) == (0, 2)
    everything = sketch.op.ReduceSum(x, keepdims=0, shape=())
    assert values.axes(maker(everything)) is None


def test_permutation_is_reversed_by_default() -> None:
    sketch = Sketch((2, 3, 4))
    (x,) = sketch.inputs
    assert values.permutation(sketch.op.Transpose(x, shape=(4, 3, 2))) == (2, 1, 0)
    assert values.permutation(sketch.op.Transpose(x, perm=[0, 2, 1], shape=(2, 4, 3))) == (0, 2, 1)
    assert values.permutation(x) is None


def test_only_user() -> None:
    sketch = Sketch((2,))
    once = sketch.op.Neg(sketch.inputs[0])
    twice = sketch.op.Mul(once, once)
    reader = sketch.op.Abs(twice)
    assert nodes.only_user(twice) is maker(reader)
    assert nodes.only_user(once) is None
    assert nodes.only_user(reader) is None
    assert nodes.only_user(sketch.end.outputs[0]) is None


def test_without_ones_skips_only_axes_of_size_one() -> None:
    sketch = Sketch((2, 3), (6,))
    x, flat = sketch.inputs
    wide = sketch.op.Unsqueeze(x, [0, 2], shape=(1, 2, 1, 3))
    narrow = sketch.op.Squeeze(wide, [0], shape=(2, 1, 3))
    assert values.without_ones(narrow) is x
    split = sketch.op.Reshape(flat, [2, 3], shape=(2, 3))
    assert values.without_ones(sketch.op.Unsqueeze(split, [0], shape=(1, 2, 3))) is split


@pytest.mark.parametrize(
    ("shape", "along", "expected"),
    [
        ((2, 1, 4), (1,), True),
        ((1, 4), (0, 1), True),
        ((), (0, 1, 2), True),
        ((2, 4), (1,), False),
        ((2, 3, 4), (1,), False),
        ((2, 1, 1), (1,), False),
    ],
)
def test_kept(shape: tuple[int, ...], along: tuple[int, ...], expected: bool) -> None:
    assert values.kept(value("v", shape), value("x", (2, 3, 4)), along) is expected


def test_broadcast() -> None:
    assert values.broadcast((2, 1), (3,)) == (2, 3)
    assert values.broadcast((), (2,), (1, 1)) == (1, 2)
    assert values.broadcast((2,), (3,)) is None
    assert values.broadcast(dims_of((B, 1)), dims_of((T,))) == dims_of((B, T))
    assert values.broadcast(dims_of((B,)), dims_of((T,))) is None
    assert values.broadcast(dims_of((B,)), (2,)) is None


def test_flat() -> None:
    assert values.flat(value("x", (B, T, 4))) == (product(dims_of((B, T))), 4)
    assert values.flat(value("x", (4,))) == (1, 4)


def test_is_float_and_is_single() -> None:
    kinds = {
        ir.DataType.FLOAT: (True, True),
        ir.DataType.BFLOAT16: (True, True),
        ir.DataType.DOUBLE: (True, False),
        ir.DataType.INT32: (False, False),
    }
    for dtype, expected in kinds.items():
        x = value("x", (2,), dtype)
        assert (values.is_float(x), values.is_single(x)) == expected


def test_replaced_operands_of_a_primitive_are_found() -> None:
    sketch = Sketch((2,))
    (x,) = sketch.inputs
    operand = sketch.op.Neg(x)
    result = sketch.op.Erf(operand)
    assert values.stands_for(result) is None
    result.meta["stands_for"] = ("erfc", (operand,), {"accuracy": None})
    sketch.end.replace_input_with(0, result)
    found = values.stands_for(result)
    assert found is not None
    assert (found.name, found.operands) == ("erfc", (operand,))
    new = sketch.op.Abs(x)
    sketch.editor.replace(operand, new)
    found = values.stands_for(result)
    assert found is not None
    assert found.operands == (new,)
    producer = maker(new)
    maker(result).replace_input_with(0, x)
    sketch.editor.erase(producer)
    assert values.stands_for(result) is None
