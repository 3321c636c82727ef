"""Layouts that are carried through operators agree with numpy."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from jax import export

from jax2onnx.rewrite.analyses.axes import moves, operands, permuted, rearrange, regrouped, spread
from jax2onnx.rewrite.analyses.nodes import attribute, maker
from jax2onnx.rewrite.analyses.values import integers
from jax2onnx.testing.sketch import Sketch, dims_of

B, T = export.symbolic_shape("B, T")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((2, 3, 4), (2, 12)),
        ((2, 3, 4), (6, 4)),
        ((2, 12), (2, 3, 4)),
        ((2, 1, 3), (2, 3)),
        ((2, 3), (1, 2, 1, 3)),
        ((4, 6), (2, 2, 6)),
        ((2, 3, 4), (24,)),
        ((4, 6), (6, 4)),
    ],
)
def test_regrouped_agrees_with_numpy(old: Any, new: Any) -> None:
    """Reshaping the permuted operand gives the permuted result."""
    x = np.arange(math.prod(old)).reshape(old)
    for layout in permutations(range(len(old))):
        found = regrouped(old, new, layout)
        possible = [
            p
            for p in permutations(range(len(new)))
            if (
                x.transpose(layout).reshape(permuted(new, p))  # type: ignore[arg-type]
                == x.reshape(new).transpose(p)
            ).all()
        ]
        if found is None:
            assert not possible
        else:
            assert found in possible


def test_regrouped_with_symbolic_sizes() -> None:
    old, new = dims_of((B, T, 4)), dims_of((B * T, 4))
    assert regrouped(old, new, (2, 0, 1)) == (1, 0)
    assert regrouped(old, new, (0, 2, 1)) is None
    assert regrouped(new, old, (1, 0)) == (2, 0, 1)
    assert regrouped((0, 2), (2, 0), (0, 1)) is None


def test_moves_counts_axes_of_more_than_one_element() -> None:
    assert moves((2, 3), (1, 0))
    assert not moves((2, 1, 3), (1, 0, 2))
    assert not moves((2, 3), (0, 1))
    assert moves((2, 1, 3), (2, 1, 0))


def test_spread_through_elementwise_operators() -> None:
    sketch = Sketch((2, 3, 4), (3, 4), (2, 3, 4))
    x, matrix, y = sketch.inputs
    total = sketch.op.Add(x, y)
    node = maker(total)
    assert spread(node, x, (1, 0, 2)) == dict.fromkeys((x, y, total), (1, 0, 2))
    # The matrix would have to be permuted too, but is not a constant.
    product = sketch.op.Mul(total, matrix)
    assert spread(maker(product), total, (0, 2, 1)) is None
    assert spread(maker(product), total, (1, 2, 0)) == {
        total: (1, 2, 0),
        product: (1, 2, 0),
    }


def test_spread_through_reductions() -> None:
    sketch = Sketch((2, 3, 4))
    (x,) = sketch.inputs
    kept = sketch.op.ReduceSum(x, [1], keepdims=1, shape=(2, 1, 4))
    assert spread(maker(kept), x, (2, 1, 0)) == {x: (2, 1, 0), kept: (2, 1, 0)}
    lost = sketch.op.ReduceSum(x, [1], keepdims=0, shape=(2, 4))
    assert spread(maker(lost), x, (2, 1, 0)) == {x: (2, 1, 0), lost: (1, 0)}
    assert spread(maker(lost), lost, (1, 0)) is None


def test_spread_stops_where_the_order_is_fixed() -> None:
    sketch = Sketch((2, 3), (3, 4))
    product = sketch.op.MatMul(*sketch.inputs, shape=(2, 4))
    assert spread(maker(product), sketch.inputs[0], (1, 0)) is None
    constant = sketch.editor.constant(np.ones((2, 3), np.float32))
    seen = sketch.op.Reshape(constant, [3, 2], shape=(3, 2))
    assert spread(maker(seen), constant, (1, 0)) is None


def test_operands_with_the_axes_of_the_result() -> None:
    sketch = Sketch((2, 3), (2, 3))
    x, y = sketch.inputs
    joined = maker(sketch.op.Concat(x, y, axis=0, shape=(4, 3)))
    assert operands(joined) == [(0, x), (1, y)]
    total = maker(sketch.op.ReduceSum(x, [1], keepdims=1, shape=(2, 1)))
    assert operands(total) == [(0, x)]


def test_rearrange_changes_attributes_and_constants() -> None:
    sketch = Sketch((2, 3, 4), (2, 3, 4))
    x, y = sketch.inputs
    layout = (2, 0, 1)

    def rearranged(out: Any) -> Any:
        node = maker(out)
        layouts = spread(node, x, layout)
        assert layouts is not None
        rearrange(sketch.editor, node, layouts)
        return node

    joined = rearranged(sketch.op.Concat(x, y, axis=-1, shape=(2, 3, 8)))
    assert attribute(joined, "axis") == 0
    total = rearranged(sketch.op.ReduceSum(x, [0, -1], keepdims=1, shape=(1, 3, 1)))
    assert integers(total.inputs[1]) == (1, 0)
    part = rearranged(sketch.op.Slice(x, [0], [1], [1], shape=(2, 1, 4)))
    assert integers(part.inputs[3]) == (2,)
    pads = [0, 1, 2, 3, 4, 5]
    padded = rearranged(sketch.op.Pad(x, pads, shape=(5, 8, 11)))
    assert integers(padded.inputs[1]) == (2, 0, 1, 5, 3, 4)
    tiled = rearranged(sketch.op.Tile(x, [1, 2, 3], shape=(2, 6, 12)))
    assert integers(tiled.inputs[1]) == (3, 1, 2)
    seen = rearranged(sketch.op.Reshape(x, [6, 4], shape=(6, 4)))
    assert integers(seen.inputs[1]) == (4, 6)
