from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jax2onnx.rewrite.rules.arithmetic import reduce_mean
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.pools import global_average_pool
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(reduce_mean, loop_invariant, global_average_pool)

X = np.random.default_rng(0).standard_normal((2, 4, 8, 9)).astype(np.float32)


@pytest.mark.parametrize(("keepdims", "after"), [(True, []), (False, ["Squeeze"])])
def test_fires(keepdims: bool, after: list[str]) -> None:
    model = assert_agrees(
        lambda x: jnp.mean(x, (2, 3), keepdims=keepdims),
        X,
        specs=[("B", 4, 8, 9)],
        prefer="readable",
    )
    assert operators(model) == ["GlobalAveragePool", *after]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(lambda x: jnp.mean(x, (2, 3))), X, prefer="readable")
    assert operator_counts(model)["GlobalAveragePool"] == 1


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (lambda x: jnp.mean(x, (1, 2)), {"prefer": "readable"}),
        (lambda x: jnp.mean(x, 3), {"prefer": "readable"}),
        (lambda x: jnp.mean(x[0], (1, 2)), {"prefer": "readable"}),
        (lambda x: jnp.mean(x, (2, 3)), {}),
    ],
)
def test_holds_back(function: Any, options: Any) -> None:
    assert operator_counts(assert_agrees(function, X, **options))["GlobalAveragePool"] == 0


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(
        lambda x: jnp.mean(x, (2, 3)), X.astype(np.float64), double=True, prefer="readable"
    )
    assert operator_counts(model)["GlobalAveragePool"] == 0
