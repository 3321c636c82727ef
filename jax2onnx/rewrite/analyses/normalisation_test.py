"""Means and variances are recognised in the forms of libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from jax2onnx.rewrite.analyses import normalisation
from jax2onnx.rewrite.analyses.nodes import maker
from jax2onnx.testing.sketch import Sketch, value


class Parts:
    """A tensor ``x`` of shape (2, 3, 4) with its mean and mean square along the last axis."""

    def __init__(self, keepdims: bool = True) -> None:
        self.sketch = Sketch((2, 3, 4), (2, 3, 4))
        self.op = self.sketch.op
        self.x, self.other = self.sketch.inputs
        self.keepdims = keepdims

    def mean(self, x: ir.Value) -> ir.Value:
        if self.keepdims:
            return self.op.ReduceMean(x, [2], keepdims=1, shape=(2, 3, 1))
        mean = self.op.ReduceMean(x, [2], keepdims=0, shape=(2, 3))
        return self.op.Unsqueeze(mean, [2], shape=(2, 3, 1))

    def squared(self, x: ir.Value) -> ir.Value:
        return self.op.Mul(x, x)

    def of_centred(self, x: ir.Value, mean: ir.Value) -> ir.Value:
        return self.mean(self.squared(self.op.Sub(x, mean, like=x)))

    def of_squares(self, x: ir.Value, mean: ir.Value) -> ir.Value:
        return self.op.Sub(self.mean(self.squared(x)), self.squared(mean))


@pytest.mark.parametrize("keepdims", [True, False])
def test_variance(keepdims: bool) -> None:
    parts = Parts(keepdims)
    x, other = parts.x, parts.other
    found = (x, (2,))
    assert normalisation.mean(parts.mean(x)) == found
    for write in (parts.of_centred, parts.of_squares):
        variance = write(x, parts.mean(x))
        assert normalisation.variance(variance) == found
        clipped = parts.op.Max(variance, np.float32(0))
        assert normalisation.variance(clipped) == found
        # The mean of another tensor does not centre this one.
        assert normalisation.variance(write(x, parts.mean(other))) is None
    raised = parts.op.Max(parts.of_centred(x, parts.mean(x)), np.float32(1))
    assert normalisation.variance(raised) is None


def test_squared_and_mean_square() -> None:
    parts = Parts()
    x, op = parts.x, parts.op
    assert normalisation.squared(op.Mul(x, x)) is x
    assert normalisation.squared(op.Pow(x, np.float32(2))) is x
    assert normalisation.squared(op.Pow(x, np.float32(3))) is None
    assert normalisation.squared(op.Mul(x, parts.other)) is None
    assert normalisation.mean_square(parts.mean(op.Mul(x, x))) == (x, (2,))
    assert normalisation.mean_square(parts.mean(x)) is None


def test_epsilon() -> None:
    parts = Parts()
    mean = parts.mean(parts.x)
    for added in (
        parts.op.Add(mean, np.float32(0.5)),
        parts.op.Add(np.float32(0.5), mean, like=mean),
    ):
        assert normalisation.epsilon(maker(parts.op.Sqrt(added))) == (mean, 0.5)
    assert normalisation.epsilon(maker(parts.op.Sqrt(mean))) == (mean, 0.0)
    both = parts.op.Add(mean, mean)
    assert normalisation.epsilon(maker(parts.op.Sqrt(both))) is None


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((4,), 2), ((3, 1), 1), ((1, 3, 1), 1), ((2, 1, 1), None), ((3, 4), None), ((1,), None)],
)
def test_channel(shape: tuple[int, ...], axis: int | None) -> None:
    assert normalisation.channel(value("v", shape), value("x", (2, 3, 4))) == axis


@pytest.mark.parametrize(
    ("shape", "along", "expected"),
    [
        ((4,), (2,), True),
        ((1, 1, 4), (2,), True),
        ((3, 1), (1,), True),
        ((3, 4), (2,), False),
        ((3, 4), (1, 2), True),
        ((1,), (2,), False),
    ],
)
def test_varies(shape: Any, along: Any, expected: bool) -> None:
    x = value("x", (2, 3, 4))
    assert normalisation.varies(value("v", shape), x, along) == expected


def test_is_last() -> None:
    x = value("x", (2, 3, 4))
    assert normalisation.is_last((1, 2), x)
    assert not normalisation.is_last((0, 1), x)
    assert not normalisation.is_last((0, 2), x)
