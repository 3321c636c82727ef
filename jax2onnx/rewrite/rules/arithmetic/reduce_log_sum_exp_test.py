from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax2onnx.rewrite.rules.arithmetic import reduce_log_sum_exp, reduce_mean
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(reduce_log_sum_exp, reduce_mean, loop_invariant)

X = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32) * 50


@pytest.mark.parametrize("specs", [[("B", 4, 5)], [(3, 4, 5)]])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [-1, 0, 1, (0, 1), (1, 2), None])
def test_fires(axis: Any, keepdims: bool, specs: Any) -> None:
    def function(x: Any) -> Any:
        return jax.nn.logsumexp(x, axis=axis, keepdims=keepdims)

    model = assert_agrees(function, X, specs=specs, prefer="readable")
    assert operators(model) == ["ReduceLogSumExp"]
    assert "ReduceLogSumExp" not in operators(assert_agrees(function, X, specs=specs))


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(lambda x: jax.nn.logsumexp(x, axis=1)), X, prefer="readable")
    assert operator_counts(model)["ReduceLogSumExp"] == 1


def test_fires_for_doubles() -> None:
    def function(x: Any) -> Any:
        return jax.nn.logsumexp(x, axis=1)

    arrays = X.astype(np.float64)
    model = assert_agrees(function, arrays, double=True, rtol=1e-12, prefer="readable")
    assert operator_counts(model)["ReduceLogSumExp"] == 1


def test_special_values() -> None:
    inf = np.inf
    x = [[inf, 1], [-inf, -inf], [np.nan, 1], [1000, 1000], [-1000, -1001], [inf, -inf]]
    assert_agrees(lambda x: jax.nn.logsumexp(x, axis=1), np.array(x, np.float32), prefer="readable")


def plain(x: Any) -> Any:
    return jnp.log(jnp.exp(x / 50).sum(1))


def other_shift(x: Any) -> Any:
    peak = x.max(1)
    return jnp.log(jnp.exp(x - peak[:, None]).sum(1)) + x.min(1)


@pytest.mark.parametrize(
    "function",
    [
        plain,
        other_shift,
        lambda x: jax.nn.logsumexp(x, axis=1, b=x),
        lambda x: jax.nn.logsumexp(x, axis=1, where=x > 0),
    ],
)
def test_holds_back(function: Any) -> None:
    model = assert_agrees(function, X, prefer="readable", rtol=1e-4)
    assert operator_counts(model)["ReduceLogSumExp"] == 0
