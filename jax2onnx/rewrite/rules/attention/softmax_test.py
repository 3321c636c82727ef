from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from flax import nnx
from jax import Array

from jax2onnx.rewrite.rules.arithmetic import reduce_mean
from jax2onnx.rewrite.rules.attention import softmax
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(reduce_mean, softmax, loop_invariant)

X = np.linspace(-9, 9, 60, dtype=np.float32).reshape(3, 4, 5) ** 3


def by_hand(x: Array) -> Array:
    powers = jnp.exp(x - jnp.max(x, axis=-1, keepdims=True))
    return powers / jnp.sum(powers, axis=-1, keepdims=True)


def log_by_hand(x: Array) -> Array:
    shifted = x - x.max(1, keepdims=True)
    return shifted - jnp.log(jnp.exp(shifted).sum(1, keepdims=True))


def transposed_apart(order: tuple[int, ...]) -> Any:
    """Return a softmax with its maximum taken before a transpose, as in a vmap of another axis."""

    def function(x: Array) -> Array:
        powers = jnp.exp(x.transpose(1, 2, 0, 3) - x.max(-1).transpose(order)[..., None])
        return powers / powers.sum(-1, keepdims=True)

    return function


@pytest.mark.parametrize(("order", "fires"), [((1, 2, 0), 1), ((2, 0, 1), 0), ((0, 1, 2), 0)])
def test_a_maximum_before_the_transpose(order: tuple[int, ...], fires: int) -> None:
    x = np.linspace(-2, 2, 54, dtype=np.float32).reshape(3, 3, 3, 2) ** 3
    model = assert_agrees(transposed_apart(order), x)
    assert operator_counts(model)["Softmax"] == fires


@pytest.mark.parametrize("specs", [[("B", 4, 5)], [("B", "T", 5)], [(3, 4, 5)]])
@pytest.mark.parametrize(
    ("function", "expected", "axis"),
    [
        (jax.nn.softmax, "Softmax", -1),
        (nnx.softmax, "Softmax", -1),
        (by_hand, "Softmax", -1),
        (lambda x: jax.nn.softmax(x, axis=0), "Softmax", 0),
        (jax.vmap(lambda x: jax.nn.softmax(x, axis=0)), "Softmax", 1),
        (jax.nn.log_softmax, "LogSoftmax", -1),
        (log_by_hand, "LogSoftmax", 1),
    ],
)
def test_fires(function: Any, expected: str, axis: int, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs)
    assert operators(model) == [expected]
    assert onnx.helper.get_node_attr_value(model.graph.node[0], "axis") == axis


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(jax.nn.softmax), X)
    assert operator_counts(model)["Softmax"] == 1


def test_double_precision() -> None:
    model = assert_agrees(jax.nn.softmax, X.astype(np.float64), double=True, rtol=1e-12)
    assert operators(model) == ["Softmax"]


def test_rows_of_minus_infinity_are_nan_in_jax_and_onnx() -> None:
    x = np.full((2, 4), -np.inf, np.float32)
    x[1, 2] = 1
    model = assert_agrees(jax.nn.softmax, x)
    assert operators(model) == ["Softmax"]


def without_maximum(x: Array) -> Array:
    powers = jnp.exp(x)
    return powers / powers.sum(-1, keepdims=True)


def other_axis(x: Array) -> Array:
    powers = jnp.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-2, keepdims=True)


def maximum_of_another(x: Array) -> Array:
    powers = jnp.exp(x - (x + 1).max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize(
    "function",
    [
        without_maximum,
        other_axis,
        maximum_of_another,
        lambda x: jax.nn.softmax(x, axis=(-1, -2)),
        lambda x: jax.nn.softmax(x, where=x > 0),
        lambda x: jax.nn.logsumexp(x, axis=-1),
    ],
)
def test_holds_back(function: Any) -> None:
    model = assert_agrees(function, np.tanh(X))
    counts = operator_counts(model)
    assert counts["Softmax"] == counts["LogSoftmax"] == 0
