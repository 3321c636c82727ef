"""Products with ``1 / sqrt(v)``, and sums of them, are read as normalisations."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from jax2onnx.rewrite.analyses.nodes import maker
from jax2onnx.rewrite.analyses.readings import readings
from jax2onnx.testing.sketch import Sketch


class Parts:
    """A tensor x of shape (2, 3, 4), a mean and a root of shape (2, 3, 1), and two vectors."""

    def __init__(self) -> None:
        self.sketch = Sketch((2, 3, 4), (2, 3, 1), (2, 3, 1), (4,), (4,))
        self.op = self.sketch.op
        self.x, self.mean, self.variance, self.scale, self.bias = self.sketch.inputs
        self.root = self.op.Sqrt(self.variance)

    def read(self, result: ir.Value) -> list[Any]:
        """Return the names of what each reading of ``result`` consists of."""
        self.sketch.end.replace_input_with(0, result)
        found = [r for r in readings(maker(self.root)) if r.root is maker(result)]
        parts = [(r.x, r.mean, r.scale, r.bias) for r in found]
        return [tuple(None if v is None else v.name for v in each) for each in parts]


def test_products_with_the_reciprocal() -> None:
    parts = Parts()
    op = parts.op
    scaled = op.Mul(op.Reciprocal(parts.root), parts.scale, like=parts.x)
    assert ("x0", None, "x3", None) in parts.read(op.Mul(scaled, parts.x))


def test_products_with_a_divisor() -> None:
    parts = Parts()
    assert parts.read(parts.op.Div(parts.x, parts.root)) == [("x0", None, None, None)]


def test_a_scale_that_is_multiplied_before_the_division() -> None:
    parts = Parts()
    scaled = parts.op.Mul(parts.scale, parts.x, like=parts.x)
    found = parts.read(parts.op.Div(scaled, parts.root))
    assert ("x0", None, "x3", None) in found


def test_a_difference_with_scale_and_bias() -> None:
    parts = Parts()
    op = parts.op
    difference = op.Sub(parts.x, parts.mean)
    scaled = op.Mul(op.Div(difference, parts.root), parts.scale)
    assert ("x0", "x1", "x3", "x4") in parts.read(op.Add(scaled, parts.bias))


def test_a_root_with_several_readers_is_not_read() -> None:
    parts = Parts()
    parts.op.Neg(parts.root)
    assert parts.read(parts.op.Div(parts.x, parts.root)) == []


def distributed(parts: Parts, form: str, scaled: bool) -> ir.Value:
    """Return x * a + (bias - mean * a) in one of the forms."""
    op, x, mean, bias = parts.op, parts.x, parts.mean, parts.bias
    factor = op.Reciprocal(parts.root)
    if scaled:
        factor = op.Mul(factor, parts.scale, like=x)
    product = op.Mul(x, factor)
    if form == "negated mean":
        return op.Add(product, op.Add(op.Mul(op.Neg(mean), factor, like=x), bias))
    centre = op.Mul(mean, factor, like=x)
    match form:
        case "bias less product":
            return op.Add(product, op.Sub(bias, centre, like=x))
        case "difference first":
            return op.Add(op.Sub(product, centre), bias)
        case "negated product":
            return op.Add(op.Add(op.Neg(centre), bias), product)
        case "no bias":
            return op.Sub(product, centre)
        case "added mean":
            return op.Add(product, op.Add(bias, centre, like=x))
        case "subtracted bias":
            return op.Sub(op.Sub(product, centre), bias)
        case _:
            return op.Add(product, op.Sub(centre, bias))


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize(
    "form", ["negated mean", "bias less product", "difference first", "negated product", "no bias"]
)
def test_distributed_over_x_and_its_mean(form: str, scaled: bool) -> None:
    parts = Parts()
    found = parts.read(distributed(parts, form, scaled))
    expected = ("x0", "x1", "x3" if scaled else None, None if form == "no bias" else "x4")
    assert found == [expected]


@pytest.mark.parametrize("form", ["added mean", "subtracted bias", "another sign"])
def test_sums_of_other_signs_are_not_read(form: str) -> None:
    parts = Parts()
    assert parts.read(distributed(parts, form, scaled=True)) == []


def test_a_factor_with_a_third_reader_is_not_read() -> None:
    parts = Parts()
    result = distributed(parts, "no bias", scaled=True)
    parts.op.Neg(maker(maker(result).inputs[0]).inputs[1])  # type: ignore[arg-type]
    assert parts.read(result) == []


def test_a_square_of_the_factor_is_not_read() -> None:
    parts = Parts()
    factor = parts.op.Reciprocal(parts.root)
    square = parts.op.Mul(factor, factor)
    assert parts.read(parts.op.Add(square, np.float32(1))) == []
