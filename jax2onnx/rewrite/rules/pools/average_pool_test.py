from __future__ import annotations

from typing import Any

import equinox as eqx
import flax.linen as nn
import jax
import numpy as np
import pytest
from flax import nnx
from jax import Array, lax

from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.pools import average_pool
from jax2onnx.rewrite.rules.views import transpose
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(loop_invariant, average_pool, transpose)

X = np.random.default_rng(0).standard_normal((2, 8, 9, 4)).astype(np.float32)
FIRST = X.transpose(0, 3, 1, 2)


def pool(x: Array) -> Any:
    return nnx.avg_pool(x, (3, 3), (2, 2), "SAME")


def sums(x: Array) -> Any:
    return lax.reduce_window(x, 0.0, lax.add, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")


@pytest.mark.parametrize("specs", [[("B", 8, 9, 4)], [(2, 8, 9, 4)]])
@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("padding", ["SAME", "VALID", ((1, 0), (0, 1))])
@pytest.mark.parametrize("library", [nnx, nn])
def test_fires_with_channels_last(library: Any, padding: Any, include: bool, specs: Any) -> None:
    def function(x: Array) -> Array:
        pooled: Array = library.avg_pool(x, (3, 2), (2, 1), padding, count_include_pad=include)
        return pooled

    model = assert_agrees(function, X, specs=specs, prefer="readable")
    assert operators(model) == ["Transpose", "AveragePool", "Transpose"]


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (jax.vmap(eqx.nn.AvgPool2d(2, 2)), FIRST),
        (jax.vmap(eqx.nn.AvgPool1d(3, 2, padding=1)), FIRST[:, :, 0]),
        (pool, X[0]),
    ],
)
def test_fires(function: Any, x: Any) -> None:
    counts = operator_counts(assert_agrees(function, x, prefer="readable"))
    assert counts["AveragePool"] == 1
    assert counts["Slice"] == counts["Div"] == 0


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(pool), X, prefer="readable")
    assert operator_counts(model)["AveragePool"] == 1


@pytest.mark.parametrize(
    "function",
    [sums, lambda x: sums(x) / 8, lambda x: (sums(x), sums(x) / 9), lambda x: 9 / sums(x)],
)
def test_holds_back(function: Any) -> None:
    model = assert_agrees(function, X, prefer="readable", rtol=1e-4)
    assert operator_counts(model)["AveragePool"] == 0


def test_holds_back_for_doubles_and_where_speed_is_preferred() -> None:
    assert operator_counts(assert_agrees(pool, X))["AveragePool"] == 0
    model = assert_agrees(pool, X.astype(np.float64), double=True, prefer="readable", rtol=1e-12)
    assert operator_counts(model)["AveragePool"] == 0
