from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jax2onnx.rewrite.rules.indexing import gather
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.views import expand
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts
from jax2onnx.trace import InputSpec

assert_agrees = agreement_with(gather, loop_invariant, expand)

X = np.arange(24, dtype=np.float32).reshape(6, 4)
INDICES = np.array([0, 5, -1, -6, 2], np.int32)


def rows(x: Array, indices: Array) -> Array:
    return x.at[indices].get(mode="promise_in_bounds")


def columns(x: Array, indices: Array) -> Array:
    return x.T.at[:, indices].get(mode="promise_in_bounds")


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize(
    "specs",
    [
        lambda dtype: [InputSpec((6, 4), np.float32), InputSpec(("N",), dtype)],
        lambda dtype: [InputSpec(("B", 4), np.float32), InputSpec((5,), dtype)],
    ],
)
@pytest.mark.parametrize("function", [rows, columns])
def test_negative_indices_are_left_to_gather(function: Any, specs: Any, dtype: Any) -> None:
    model = assert_agrees(function, X, INDICES.astype(dtype), specs=specs(dtype))
    counts = operator_counts(model)
    assert (counts["Gather"], counts["Where"], counts["Less"]) == (1, 0, 0)


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(rows), X, INDICES)
    assert operator_counts(model)["Where"] == 0


def test_consecutive_indices_become_a_slice() -> None:
    model = assert_agrees(lambda x: x[:, 1:3], X, specs=[("B", 4)])
    assert operators(model) == ["Slice"]


@pytest.mark.parametrize("indices", [[2, 1], [1, 3], [-2, -1], [1]])
def test_other_constant_indices(indices: list[int]) -> None:
    model = assert_agrees(lambda x: x[:, np.array(indices)], X, specs=[("B", 4)])
    assert operators(model) in (["Gather"], ["Slice"])


def test_holds_back_where_out_of_bounds_is_filled() -> None:
    beyond = np.array([0, 6, -7, -1], np.int32)
    model = assert_agrees(lambda x, i: x.at[i].get(mode="fill", fill_value=-1), X, beyond)
    assert "Where" in operators(model)


def test_holds_back_where_something_else_is_added() -> None:
    def shifted(x: Array, i: Array) -> Array:
        adjusted = jnp.where(i < 0, i + 5, i)
        return x.at[adjusted].get(mode="promise_in_bounds", wrap_negative_indices=False)

    model = assert_agrees(shifted, X, np.array([-1, -2, 3], np.int32))
    assert "Where" in operators(model)
