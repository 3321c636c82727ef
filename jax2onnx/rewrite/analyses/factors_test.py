"""Factors follow axes through reshapes and transposes, in agreement with numpy."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
from jax import export

from jax2onnx.graph.sizes import Dims
from jax2onnx.rewrite.analyses.factors import Labelled, broadcast_to, extent, flattened, fresh
from jax2onnx.rewrite.analyses.nodes import maker
from jax2onnx.rewrite.analyses.values import dims
from jax2onnx.testing.sketch import Sketch, dims_of

B, T = export.symbolic_shape("B, T")


def labelled(value: ir.Value) -> Labelled:
    return Labelled(value, tuple(map(fresh, dims(value))))


def through(start: Labelled, value: ir.Value, *, up: bool = False) -> Labelled:
    node = (start.value if up else value).producer()
    assert node is not None
    found = start.through(node, value, up=up)
    assert found is not None
    return found


def sizes(found: Labelled) -> list[Any]:
    return [[f.size for f in axis] for axis in found.axes]


def view(sketch: Sketch, x: ir.Value, shape: Dims) -> ir.Value:
    made: ir.Value = sketch.op.Reshape(x, [0] * len(shape), shape=shape)
    return made


def test_a_reshape_splits_and_merges_factors() -> None:
    sketch = Sketch((2, 12))
    start = labelled(sketch.inputs[0])
    split = through(start, view(sketch, start.value, (2, 3, 4)))
    assert sizes(split) == [[2], [3], [4]]
    merged = through(split, view(sketch, split.value, (6, 4)))
    assert sizes(merged) == [[2, 3], [4]]
    # The axis that was one factor is now known to be two, also in the first value.
    assert sizes(start) == [[2], [3, 4]]
    assert start.axes[0][0] is merged.axes[0][0]


def test_symbolic_sizes_are_divided() -> None:
    sketch = Sketch((3 * T, B))
    start = labelled(sketch.inputs[0])
    split = through(start, view(sketch, start.value, dims_of((3, T, B))))
    assert sizes(split) == [[3], list(dims_of((T,))), list(dims_of((B,)))]
    merged = through(split, view(sketch, split.value, dims_of((3, T * B))))
    assert sizes(merged) == [[3], list(dims_of((T, B)))]
    assert split.named
    assert not merged.named


def test_shapes_that_do_not_divide_give_none() -> None:
    sketch = Sketch((4, 6), (T,), (0, 2))
    for x, shape in zip(sketch.inputs, [(3, 8), dims_of((2, T // 2)), (2, 0)], strict=True):
        start = labelled(x)
        seen = view(sketch, x, shape)
        node = maker(seen)
        assert start.through(node, seen) is None


def test_a_transpose_moves_factors_in_both_directions() -> None:
    sketch = Sketch((2, 3, 4))
    start = labelled(sketch.inputs[0])
    a, b, c = start.axes
    turned = through(start, sketch.op.Transpose(start.value, perm=[2, 0, 1], shape=(4, 2, 3)))
    assert turned.axes == (c, a, b)
    back = turned.source()
    assert back is not None
    assert (back.value, back.axes) == (start.value, (a, b, c))


def test_axes_of_size_one_have_no_factors() -> None:
    sketch = Sketch((2, 1))
    start = labelled(sketch.inputs[0])
    assert start.axes[1] == ()
    seen = through(start, sketch.op.Unsqueeze(start.value, [0], shape=(1, 2, 1)))
    assert seen.axes == ((), start.axes[0], ())


def test_the_source_of_an_expand() -> None:
    sketch = Sketch((1, 3))
    wide = sketch.op.Expand(sketch.inputs[0], [2, 3], shape=(2, 3))
    start = labelled(wide)
    assert start.source() is None
    narrow = start.source(spread=True)
    assert narrow is not None
    assert narrow.axes == ((), start.axes[1])
    assert labelled(sketch.inputs[0]).source(spread=True) is None
    node = maker(wide)
    assert labelled(sketch.inputs[0]).through(node, wide) is None


def test_other_operators_end_the_path() -> None:
    sketch = Sketch((2, 3))
    start = labelled(sketch.op.Neg(sketch.inputs[0]))
    node = maker(start.value)
    assert start.through(node, sketch.inputs[0], up=True) is None


def test_extent() -> None:
    two, three = fresh(2), fresh(3)
    (t,) = dims_of((T,))
    assert extent(two + three) == 6
    assert extent(fresh(t)) == t
    assert extent(fresh(t) + two) is None
    assert extent(()) == 1
    assert flattened([two, (), three]) == [*two, *three]


def test_broadcast_to() -> None:
    sketch = Sketch((2, 3), (3,), (2, 1), (4,), (1, 2, 3))
    like = labelled(sketch.inputs[0])
    vector, column, other, larger = sketch.inputs[1:]
    found = broadcast_to(vector, like)
    assert found is not None
    assert found.axes == (like.axes[1],)
    found = broadcast_to(column, like)
    assert found is not None
    assert found.axes == (like.axes[0], ())
    assert broadcast_to(other, like) is None
    assert broadcast_to(larger, like) is None


def test_arranged_adds_a_view_or_one_transpose() -> None:
    sketch = Sketch((2, 12))
    start = labelled(sketch.inputs[0])
    split = through(start, view(sketch, start.value, (2, 3, 4)))
    a, b, c = split.axes
    same = split.arranged(sketch.editor, sketch.end, (a + b, c), (6, 4))
    assert sketch.op_types[-1] == "Reshape"
    assert dims(same) == (6, 4)
    turned = split.arranged(sketch.editor, sketch.end, (b, a, c), (3, 2, 4))
    node = maker(turned)
    assert (node.op_type, node.attributes["perm"].as_ints()) == ("Transpose", (1, 0, 2))
    before = len(sketch.op_types)
    joined = start.arranged(sketch.editor, sketch.end, (b, a + c), (3, 8))
    assert dims(joined) == (3, 8)
    assert sketch.op_types[before:] == ["Reshape", "Transpose", "Reshape"]
