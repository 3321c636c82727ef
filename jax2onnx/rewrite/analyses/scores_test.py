"""Steps between the product and the softmax are recognised, and only equivalent masks pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from jax2onnx.rewrite.analyses.factors import Labelled, fresh
from jax2onnx.rewrite.analyses.nodes import maker
from jax2onnx.rewrite.analyses.scores import Scores, can_bias, scores
from jax2onnx.rewrite.analyses.values import constant, dims
from jax2onnx.testing.sketch import FLOAT, Sketch, value

TRIANGLE = np.tril(np.ones((4, 4), bool))


class Reading:
    """The scores of 4 queries and 4 keys of width 8, with the steps that a test adds."""

    def __init__(self, dtype: ir.DataType = FLOAT) -> None:
        self.sketch = Sketch((2, 4, 8), (2, 8, 4), (2, 4, 4))
        for x in self.sketch.inputs:
            x.type = ir.TensorType(dtype)
        self.dtype = dtype
        self.scores = self.sketch.op.MatMul(*self.sketch.inputs[:2], shape=(2, 4, 4))

    def hide(self, mask: Any, number: float) -> None:
        given = mask if isinstance(mask, ir.Value) else self.sketch.editor.constant(mask)
        other = self.sketch.editor.constant(number, self.dtype)
        self.scores = self.sketch.op.Where(given, self.scores, other, like=self.scores)

    def read(self) -> list[Scores]:
        """Return the readings of the scores, which one node reads."""
        self.sketch.end.replace_input_with(0, self.scores)
        axes = tuple(map(fresh, dims(self.scores)))
        return list(scores(self.sketch.editor, Labelled(self.scores, axes)))


@pytest.mark.parametrize(
    ("number", "exact"),
    [
        (-1e2, False),
        (-1e4, False),  # BERT uses this number, but a score of -20000 is lower.
        (-1e9, False),
        (-1.1e9, True),
        (-1e10, True),
        (-1e30, True),
        (float(np.finfo(np.float32).min), True),
        (-np.inf, True),
        (0.0, False),
    ],
)
def test_mask_that_leaves_each_query_a_key(number: float, exact: bool) -> None:
    """The number must be so low that hidden scores have a weight of 0 in any case."""
    reading = Reading()
    reading.hide(TRIANGLE, number)
    (found,) = reading.read()
    assert found.exact(found.product.axes[-1]) is exact


@pytest.mark.parametrize(
    ("number", "exact"), [(-1e10, False), (-0.9e30, False), (-1e30, True), (-np.inf, False)]
)
def test_mask_that_may_hide_all_keys(number: float, exact: bool) -> None:
    """Rounding at the number must absorb the scores, so that all have the same weight."""
    reading = Reading()
    reading.hide(value("mask", (4, 4), ir.DataType.BOOL), number)
    (found,) = reading.read()
    assert found.exact(found.product.axes[-1]) is exact
    reading = Reading()
    reading.hide(np.array([[True] * 4, [False] * 4] * 2), number)
    (found,) = reading.read()
    assert found.exact(found.product.axes[-1]) is exact


def test_masks_in_half_precision_are_not_exact() -> None:
    reading = Reading(ir.DataType.FLOAT16)
    (found,) = reading.read()
    assert found.exact(found.product.axes[-1])
    reading.hide(TRIANGLE, -6e4)
    (found,) = reading.read()
    assert not found.exact(found.product.axes[-1])


@pytest.mark.parametrize(
    ("mask", "number", "causal"),
    [
        (TRIANGLE, -1e10, True),
        (TRIANGLE, -1e9, True),
        (TRIANGLE, -1e4, False),
        (TRIANGLE, -1e2, False),
        (~TRIANGLE, -1e10, False),
        (TRIANGLE.T.copy(), -1e10, False),
        (np.tril(np.ones((4, 4), bool), -1) | np.eye(4, k=1, dtype=bool), -1e10, False),
    ],
)
def test_causal(mask: Any, number: float, causal: bool) -> None:
    reading = Reading()
    reading.hide(mask, number)
    (found,) = reading.read()
    _, queries, keys = found.product.axes
    assert found.causal(queries, keys) is causal
    assert not found.causal(keys, queries)


def test_scale_and_softcap() -> None:
    reading = Reading()
    op = reading.sketch.op
    tanh = op.Tanh(op.Div(op.Mul(reading.scores, np.float32(0.5)), np.float32(20)))
    reading.scores = op.Mul(np.float32(20), tanh)
    (found,) = reading.read()
    assert (found.softcap, found.steps) == (20, ())
    assert found.scale == pytest.approx(0.5 / 20 * 20)


def test_added_values_are_steps_and_either_operand_may_be_the_product() -> None:
    reading = Reading()
    bias = reading.sketch.inputs[2]
    reading.scores = reading.sketch.op.Add(bias, reading.scores)
    (found,) = reading.read()
    ((step, number),) = found.steps
    assert (step.value, number) == (bias, None)
    assert can_bias(step, found.product.axes)


def test_a_step_along_a_part_of_an_axis_is_no_bias() -> None:
    first, second = fresh(2), fresh(3)
    step = Labelled(value("step", (2,)), (first,))
    assert can_bias(step, [first, second])
    assert not can_bias(step, [(*first, *second)])


def test_two_conditions_are_two_steps() -> None:
    reading = Reading()
    first, second = (value(name, (4, 4), ir.DataType.BOOL) for name in "ab")
    reading.hide(reading.sketch.op.And(first, second), -1e30)
    (found,) = reading.read()
    assert [step.value for step, _ in found.steps] == [first, second]
    assert found.exact(found.product.axes[-1])


def test_scores_with_other_readers_are_not_fused() -> None:
    reading = Reading()
    reading.sketch.op.Neg(reading.scores)
    assert reading.read() == []


def test_bias_adds_the_number_where_a_condition_does_not_hold() -> None:
    reading = Reading()
    reading.hide(TRIANGLE, -1e30)
    (found,) = reading.read()
    batch, queries, keys = found.product.axes
    editor = reading.sketch.editor
    sizes = [editor.constant([4])] * 2
    bias = found.bias(editor, reading.sketch.end, (batch, (), queries, keys), sizes)
    assert dims(bias) == (4, 4)
    where = maker(bias)
    mask, zero, hidden = (constant(v) for v in where.inputs)
    assert mask is not None
    assert zero is not None
    assert hidden is not None
    assert (mask == TRIANGLE).all()
    assert (float(zero), float(hidden)) == (0.0, float(np.float32(-1e30)))
