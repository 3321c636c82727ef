"""The editor keeps names, types and the order of nodes while rules change a graph."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.constants import Constant
from jax2onnx.rewrite.analyses.nodes import maker, the_input
from jax2onnx.rewrite.analyses.values import constant, dims
from jax2onnx.testing.sketch import FLOAT, Sketch


def test_a_node_has_the_given_type_or_that_of_its_first_operand() -> None:
    sketch = Sketch((2, 3), (3,))
    x, y = sketch.inputs
    assert sketch.op.Add(x, y).shape == (2, 3)
    assert sketch.op.Add(y, x, like=x).shape == (2, 3)
    cast = sketch.op.Cast(x, to=ir.DataType.INT64, dtype=ir.DataType.INT64)
    assert (cast.dtype, dims(cast)) == (ir.DataType.INT64, (2, 3))
    parts = sketch.op.several("Split", x, [1, 2], axis=1, shapes=[(2, 1), (2, 2)])
    assert [(p.dtype, dims(p)) for p in parts] == [(FLOAT, (2, 1)), (FLOAT, (2, 2))]
    assert sketch.op_types == ["Add", "Add", "Cast", "Split"]


def test_optional_inputs_at_the_end_and_attributes_of_none_are_left_out() -> None:
    sketch = Sketch((2, 3))
    clip = maker(sketch.op.Clip(sketch.inputs[0], None, 1.0, None, axis=None))
    assert len(clip.inputs) == 3
    assert clip.inputs[1] is None
    assert not clip.attributes


def test_new_nodes_are_named_after_the_module_of_the_next_node() -> None:
    sketch = Sketch((2, 3))
    sketch.end.name = "block.0/Add"
    sketch.end.metadata_props["site"] = "model.py:3"
    made = sketch.op.Neg(sketch.inputs[0])
    node = maker(made)
    assert (node.name, made.name) == ("block.0/Neg", "block.0/Neg")
    assert node.metadata_props == {"site": "model.py:3"}


def test_constants_of_equal_contents_are_one_value() -> None:
    editor = Sketch((2,)).editor
    ones = editor.constant([1, 1])
    assert editor.constant(np.ones(2, np.int64)) is ones
    assert editor.constant(np.ones(2, np.int32)) is not ones
    assert editor.constant(np.ones((2, 1), np.int64)) is not ones
    assert editor.constant(1, FLOAT).dtype == FLOAT
    assert isinstance(ones.const_value, Constant)
    assert len(editor.body.initializers) == 4


def test_constants_of_a_function_are_nodes_at_its_start() -> None:
    sketch = Sketch((2,), function=True)
    negated = sketch.op.Neg(sketch.inputs[0])
    added = sketch.op.Add(negated, [1.5])
    assert sketch.op_types == ["Constant", "Neg", "Add"]
    node = maker(added)
    assert sketch.editor.is_early(the_input(node, 1))
    assert not sketch.editor.is_early(negated)
    assert not sketch.editor.body.initializers


def test_a_parameter_is_never_treated_as_a_constant() -> None:
    sketch = Sketch((2,))
    parameter = sketch.parameter(np.ones(2, np.float32))
    assert constant(parameter) is None
    assert sketch.editor.constant(np.ones(2, np.float32)) is not parameter


def test_hold_keeps_the_name_of_a_parameter_and_replaces_a_constant() -> None:
    sketch = Sketch((2,))
    parameter = sketch.parameter(np.ones((2, 3), np.float32), "layer.weight")
    held = sketch.editor.hold(parameter, np.zeros((3, 2), np.float16))
    assert held is parameter
    assert (held.name, held.dtype) == ("layer.weight", ir.DataType.FLOAT16)
    assert held.shape == (3, 2)
    made = sketch.editor.constant([1, 2])
    other = sketch.editor.hold(made, np.array([2, 1]))
    assert other is not made
    # A later request for the old contents must not return the new ones.
    again = constant(sketch.editor.constant([1, 2]))
    assert again is not None
    assert again.tolist() == [1, 2]


def test_replace_removes_nodes_without_readers() -> None:
    sketch = Sketch((2,))
    (x,) = sketch.inputs
    kept = sketch.op.Abs(x)
    inner = sketch.op.Neg(kept)
    old = sketch.op.Exp(inner)
    reader = sketch.op.Sqrt(old)
    also = sketch.op.Sin(kept)
    new = sketch.op.Cos(x)
    sketch.end.replace_input_with(0, also)
    sketch.editor.replace(old, new)
    node = maker(reader)
    assert node.inputs[0] is new
    assert sketch.op_types == ["Abs", "Sqrt", "Sin", "Cos"]


def test_an_output_keeps_its_name_and_has_a_producer() -> None:
    sketch = Sketch((2,))
    (x,), old = sketch.inputs, sketch.end.outputs[0]
    old.name = "y"
    sketch.editor.replace(old, x)
    (output,) = sketch.editor.body.outputs
    node = maker(output)
    assert (output.name, node.op_type, node.inputs[0]) == ("y", "Identity", x)
    assert node is not sketch.end


def test_the_name_of_a_modules_output_is_transferred() -> None:
    sketch = Sketch((2,))
    old = sketch.op.Neg(sketch.inputs[0])
    old.name = "block.0/output"
    sketch.end.replace_input_with(0, old)
    new = sketch.op.Abs(sketch.inputs[0])
    sketch.editor.replace(old, new)
    assert new.name == "block.0/output"
    view = sketch.op.Reshape(new, [2, 1], shape=(2, 1))
    sketch.editor.keep_tap(new, view)
    assert view.name == "block.0/output"
    other = sketch.op.Reshape(view, [2], shape=(2,))
    other.name = "block.1/output"
    sketch.editor.keep_tap(view, other)
    assert other.name == "block.1/output"


def test_shared_values_are_made_once_and_remade_after_removal() -> None:
    sketch = Sketch((2,))
    editor, made = sketch.editor, []

    def make() -> ir.Value:
        size: ir.Value = editor.at_start.Shape(
            sketch.inputs[0], dtype=ir.DataType.INT64, shape=(1,)
        )
        made.append(size)
        return size

    assert editor.shared("size", make) is editor.shared("size", make)
    producer = maker(made[0])
    editor.erase(producer)
    assert sketch.op_types == []
    editor.shared("size", make)
    assert len(made) == 2
    assert sketch.op_types == ["Shape"]


def test_nodes_at_the_start_are_in_the_order_in_which_they_were_added() -> None:
    sketch = Sketch((2,))
    sketch.op.Neg(sketch.inputs[0])
    first = sketch.editor.at_start.Abs(sketch.inputs[0])
    second = sketch.editor.at_start.Exp(first)
    assert sketch.op_types == ["Abs", "Exp", "Neg"]
    assert sketch.editor.is_early(second)


def test_insertion_behind_a_node_of_another_graph_is_at_the_start() -> None:
    sketch, other = Sketch((2,)), Sketch((2,))
    negated = sketch.op.Neg(sketch.inputs[0])
    sketch.editor.behind(maker(negated), sketch.editor.body).Abs(negated)
    sketch.editor.behind(other.end, sketch.editor.body).Exp(sketch.inputs[0])
    sketch.editor.behind(None, sketch.editor.body).Sin(sketch.inputs[0])
    assert sketch.op_types == ["Sin", "Exp", "Neg", "Abs"]


def test_erase_keeps_nodes_that_hold_graphs() -> None:
    sketch = Sketch((2,))
    inner = ir.Graph([], [], nodes=[], name="inner")
    branch = ir.Node("", "If", [sketch.inputs[0]], [ir.AttrGraph("then_branch", inner)])
    sketch.editor.body.insert_before(sketch.end, branch)
    sketch.editor.erase(branch)
    assert sketch.op_types == ["If"]
