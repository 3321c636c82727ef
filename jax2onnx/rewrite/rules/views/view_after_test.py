from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax

from jax2onnx.rewrite.rules.activations import gelu
from jax2onnx.rewrite.rules.arithmetic import known_choice, neutral, reduce_mean
from jax2onnx.rewrite.rules.attention import softmax
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.products import linear as linear_rule
from jax2onnx.rewrite.rules.views import transpose, view, view_after
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import (
    PLACES,
    agreement_with,
    by_reference,
    conversion_with,
    operator_counts,
)

RULES = (
    gelu,
    known_choice,
    neutral,
    reduce_mean,
    softmax,
    loop_invariant,
    linear_rule,
    transpose,
    view,
    view_after,
)
assert_agrees = agreement_with(*RULES)
convert = conversion_with(*RULES)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 3, 8), np.float32)
UP, DOWN = (RNG.standard_normal(shape, np.float32) for shape in ((16, 8), (8, 16)))


def linear(x: Array, weight: Any) -> Array:
    return lax.dot_general(x, weight, (((x.ndim - 1,), (1,)), ((), ())))


class Mlp(eqx.Module):
    """Two layers on a tensor of three axes."""

    up: Any
    down: Any

    def __call__(self, x: Array) -> Array:
        return linear(jax.nn.gelu(2 * linear(x, self.up)), self.down)


@pytest.mark.parametrize("spec", [("B", 3, 8), ("B", "T", 8), (2, 3, 8)])
def test_fires_between_products(spec: Any) -> None:
    specs = [spec, UP.shape, DOWN.shape]
    model = assert_agrees(lambda x, up, down: Mlp(up, down)(x), X, UP, DOWN, specs=specs, atol=1e-4)
    assert [n for n in operators(model) if n not in ("Shape", "Concat")] == [
        *("Reshape", "Gemm", "Mul", "Gelu", "Gemm", "Reshape"),
    ]


class Layer(eqx.Module):
    weight: Any

    def __call__(self, x: Array) -> Array:
        return linear(x, self.weight)


def test_outputs_of_modules_keep_their_names() -> None:
    class Model(eqx.Module):
        up: Layer
        down: Layer

        def __call__(self, x: Array) -> Array:
            return jnp.tanh(self.down(jax.nn.gelu(self.up(x))))

    module, parameters = by_reference(Model(Layer(UP), Layer(DOWN)))
    model = convert(module, [("B", 3, 8)], parameters=parameters)
    made = {name for node in model.graph.node for name in node.output}
    assert {"up/output", "down/output"} <= made


def through_ones(x: Array) -> Array:
    wide = jnp.expand_dims(x, 1)
    return jax.nn.softmax(wide * 3, axis=-1).transpose(0, 2, 1, 3).squeeze(2)


@pytest.mark.parametrize("specs", [[("B", 3, 8)], [(2, 3, 8)]])
def test_fires_through_softmax(specs: Any) -> None:
    model = assert_agrees(through_ones, X, specs=specs)
    assert operators(model) == ["Mul", "Softmax"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(through_ones), X)
    counts = operator_counts(model)
    assert counts["Transpose"] == 0


def nothing_follows(x: Array) -> Array:
    return jnp.sin(x.reshape(2, 24))


def other_axis(x: Array) -> Array:
    return jax.nn.softmax(x.reshape(2, 24), axis=-1).reshape(48)


def other_operand(x: Array) -> Array:
    return (x.reshape(2, 24) * x.reshape(48)[:24]).reshape(48)


def read_by_others(x: Array) -> tuple[Array, Array]:
    y = x.reshape(2, 24)
    return jnp.sin(y).reshape(48), jnp.cos(y)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (nothing_follows, ["Reshape", "Sin"]),
        (other_axis, ["Reshape", "Softmax", "Reshape"]),
        (other_operand, ["Reshape", "Reshape", "Slice", "Mul", "Reshape"]),
        (read_by_others, ["Reshape", "Sin", "Reshape", "Cos"]),
    ],
)
def test_holds_back(function: Any, expected: list[str]) -> None:
    model = assert_agrees(function, X)
    assert sorted(operators(model)) == sorted(expected)


@pytest.mark.parametrize("specs", [None, [("B", 3, 8)], [("B", "T", 8)]])
@pytest.mark.parametrize("shape", [(4, 2), (2, 2, 2)])
def test_a_bias_of_each_head_is_viewed_instead(shape: tuple[int, ...], specs: Any) -> None:
    bias = RNG.standard_normal(shape, np.float32)

    def function(x: Array) -> Array:
        return (jnp.sin(x).reshape(*x.shape[:2], *shape) + bias).reshape(x.shape)

    found = operators(assert_agrees(function, X, specs=specs))
    assert found in (["Reshape", "Sin", "Add"], ["Sin", "Reshape", "Add"], ["Sin", "Add"])


@pytest.mark.parametrize("shape", [(2,), (4, 1), (3, 4, 2)])
def test_a_bias_that_is_broadcast_otherwise(shape: tuple[int, ...]) -> None:
    bias = RNG.standard_normal(shape, np.float32)

    def function(x: Array) -> Array:
        return (jnp.sin(x).reshape(*x.shape[:2], 4, 2) + bias).reshape(x.shape)

    assert_agrees(function, X)


def test_a_value_of_one_element_is_not_confused_with_another_operand() -> None:
    assert_agrees(lambda x: x[-1], np.arange(6, dtype=np.float32).reshape(3, 2), specs=[("T", 2)])


def test_a_scalar_operand_beside_a_reshaped_scalar() -> None:
    def step(total: Array, x: Array) -> tuple[Array, None]:
        one, other = total.reshape(1), x.reshape(1)
        return (one * other + 2 * one).reshape(()), None

    assert_agrees(lambda x: jax.lax.scan(step, x[0], x)[0], X.reshape(-1), specs=[("T",)])
