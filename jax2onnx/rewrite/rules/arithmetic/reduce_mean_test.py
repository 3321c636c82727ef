from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from jax import Array

from jax2onnx.rewrite.rules.arithmetic import floor_division, reduce_mean
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(floor_division, reduce_mean, loop_invariant)

X = np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 3, 4)


@pytest.mark.parametrize("specs", [[("B", 3, 4)], [(2, 3, 4)]])
@pytest.mark.parametrize(
    ("function", "operator", "kept"),
    [
        (lambda x: x.mean(-1), "ReduceMean", 0),
        (lambda x: x.mean(-1, keepdims=True), "ReduceMean", 1),
        (lambda x: x.mean((1, 2)), "ReduceMean", 0),
        (lambda x: x.sum(-1) / 4, "ReduceMean", 0),
        (lambda x: x.mean(-1)[..., None], "ReduceMean", 1),
        (lambda x: x.sum(1, keepdims=True), "ReduceSum", 1),
        (lambda x: x.max((1, 2), keepdims=True), "ReduceMax", 1),
        (lambda x: x.min(1, keepdims=True), "ReduceMin", 1),
        (lambda x: x.prod(1, keepdims=True), "ReduceProd", 1),
    ],
)
def test_fires(function: Any, operator: str, kept: int, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs)
    reductions = [node for node in model.graph.node if node.op_type == operator]
    assert {onnx.helper.get_node_attr_value(node, "keepdims") for node in reductions} == {kept}
    assert operator_counts(model)["Unsqueeze"] == 0


@pytest.mark.parametrize("shape", [(1, 3, 4), (1, 1, 4), (2, 1, 4)])
def test_keeps_axes_beside_others_of_size_1(shape: Any) -> None:
    x = X[: shape[0], : shape[1]]
    model = assert_agrees(jax.vmap(lambda row: row.mean(keepdims=True)), x)
    assert operators(model) == ["ReduceMean"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(lambda x: x.mean(-1, keepdims=True)), X)
    counts = operator_counts(model)
    assert (counts["ReduceMean"], counts["Div"]) == (1, 0)


def sum_and_mean(x: Array) -> tuple[Array, Array]:
    total = x.sum(-1)
    return total, total / 4


def of_integers(x: Array) -> Array:
    return x.astype(jnp.int32).sum(-1) // 4


def divisor_of_more_axes(x: Array) -> Array:
    return x.sum(-1) / jnp.full((1, 1, 1), 4.0)


@pytest.mark.parametrize(
    "function", [sum_and_mean, of_integers, divisor_of_more_axes, lambda x: x.sum(-1) / 3]
)
def test_holds_back(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X))["ReduceMean"] == 0


def test_mean_without_elements_is_nan() -> None:
    assert_agrees(lambda x: x.mean(0), X[:0])


@pytest.mark.parametrize("along", [0, (0, 1), (0, 2), (0, 1, 2), -1])
def test_along_symbolic_axes(along: Any) -> None:
    model = assert_agrees(lambda x: x.mean(along), X, specs=[("B", "L", "C")])
    assert operators(model) == ["ReduceMean"]


def test_along_an_axis_of_several_sizes() -> None:
    model = assert_agrees(lambda x: x.reshape(-1, 4).mean(0), X, specs=[("B", "L", 4)])
    assert operators(model) == ["Reshape", "ReduceMean"]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.sum(0) / x.shape[1],
        lambda x: x.sum((0, 1)) / x.shape[0],
        lambda x: x.sum(0) / (x.shape[0] + 1),
        lambda x: x.sum(0) / (2 * x.shape[0]),
    ],
)
def test_holds_back_where_another_size_divides(function: Any) -> None:
    model = assert_agrees(function, X, specs=[("B", "L", 4)])
    assert operator_counts(model)["ReduceMean"] == 0


def test_holds_back_where_another_axis_is_inserted() -> None:
    model = assert_agrees(lambda x: x.sum(2)[:, None], X)
    assert operators(model) == ["ReduceSum", "Unsqueeze"]
