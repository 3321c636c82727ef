from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array

from jax2onnx.rewrite.rules.activations import elu, selu
from jax2onnx.rewrite.rules.arithmetic import neutral
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(elu, selu, neutral, loop_invariant)

X = np.linspace(-5, 5, 24, dtype=np.float32).reshape(3, 8)


def by_hand(x: Array) -> Array:
    return jnp.where(x > 0, x, 2.0 * jnp.expm1(jnp.where(x > 0, 0.0, x)))


@pytest.mark.parametrize("specs", [[("B", 8)], [(3, 8)]])
@pytest.mark.parametrize(
    ("function", "alpha"),
    [
        (jax.nn.elu, 1.0),
        (nnx.elu, 1.0),
        (nn.elu, 1.0),
        (jax.vmap(jax.nn.elu), 1.0),
        (lambda x: jax.nn.elu(x, 0.5), 0.5),
        (by_hand, 2.0),
    ],
)
def test_fires(function: Any, alpha: float, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs)
    assert operators(model) == ["Elu"]
    assert model.graph.node[0].attribute[0].f == alpha


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    assert operator_counts(assert_agrees(place(jax.nn.elu), X))["Elu"] == 1


def test_fires_under_grad() -> None:
    model = assert_agrees(jax.value_and_grad(lambda x: jax.nn.elu(x).sum()), X)
    assert operator_counts(model)["Elu"] == 1


def test_special_values() -> None:
    assert_agrees(
        jax.nn.elu, np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e30, -1e30, -80], np.float32)
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float16, 1e-3), (jnp.bfloat16, 1e-2)])
def test_half_precision(dtype: Any, tolerance: float) -> None:
    model = assert_agrees(jax.nn.elu, X.astype(dtype), rtol=tolerance, atol=tolerance)
    assert operator_counts(model)["Elu"] == 1


def other_branch(x: Array) -> Array:
    return jnp.where(x > 0, x, jnp.expm1(jnp.where(x > 0, 0.0, -x)))


@pytest.mark.parametrize(
    "function",
    [other_branch, lambda x: jnp.where(x > 1, x, jnp.expm1(x)), jnp.expm1, jax.nn.selu],
)
def test_holds_back(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X))["Elu"] == 0


def test_holds_back_where_alpha_is_not_constant() -> None:
    model = assert_agrees(jax.nn.elu, X, np.float32(0.5))
    assert operator_counts(model)["Elu"] == 0


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(jax.nn.elu, X.astype(np.float64), double=True, rtol=1e-12, atol=0)
    assert operator_counts(model)["Elu"] == 0
