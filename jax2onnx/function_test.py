"""One ONNX function for equal blocks, whatever their weights, in every library."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jax2onnx import InputError, onnx_function
from jax2onnx.testing import assert_agrees, operators

X = np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 8)


@onnx_function
class EqxBlock(eqx.Module):
    linear: eqx.nn.Linear
    scale: jax.Array

    def __init__(self, key: Any) -> None:
        self.linear = eqx.nn.Linear(8, 8, key=key)
        self.scale = jnp.full(8, 0.5)

    def __call__(self, x: jax.Array) -> jax.Array:
        return x + jnp.tanh(jax.vmap(self.linear)(x)) * self.scale


class EqxStack(eqx.Module):
    blocks: list[EqxBlock]

    def __call__(self, x: jax.Array) -> jax.Array:
        for block in self.blocks:
            x = block(x)
        return x


def test_instances_of_one_class_share_one_function() -> None:
    keys = jax.random.split(jax.random.key(0), 3)
    stack = EqxStack([EqxBlock(k) for k in keys])
    model = assert_agrees(stack, X, specs=[("B", 8)])
    assert operators(model) == ["EqxBlock"] * 3
    assert [f.name for f in model.functions] == ["EqxBlock"]
    assert list(model.functions[0].input) == ["linear.weight", "linear.bias", "scale", "x"]
    assert {i.name for i in model.graph.initializer} >= {"blocks.1.linear.weight"}


def test_nnx_modules_share_one_function() -> None:
    @onnx_function(namespace="my.blocks", name="Mixer")
    class NnxBlock(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.linear = nnx.Linear(8, 8, rngs=rngs)

        def __call__(self, x: jax.Array) -> jax.Array:
            return x + nnx.relu(self.linear(x))

    class NnxStack(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.blocks = nnx.List([NnxBlock(rngs), NnxBlock(rngs)])

        def __call__(self, x: jax.Array) -> jax.Array:
            for block in self.blocks:
                x = block(x)
            return x

    model = assert_agrees(NnxStack(nnx.Rngs(0)), X, specs=[("B", 8)])
    assert operators(model) == ["Mixer", "Mixer"]
    assert [(f.domain, f.name) for f in model.functions] == [("my.blocks", "Mixer")]


def test_not_unique_gives_each_call_its_own_function() -> None:
    @onnx_function(unique=False)
    def double(x: jax.Array) -> jax.Array:
        return x * 2

    model = assert_agrees(lambda x: double(double(x)), X)
    assert [f.name for f in model.functions] == ["double", "double_1"]


def test_other_shapes_get_another_function() -> None:
    @onnx_function
    def total(x: jax.Array) -> jax.Array:
        return x.sum()

    model = assert_agrees(lambda x: total(x) + total(x[:2]), X)
    assert [f.name for f in model.functions] == ["total", "total_1"]


def test_functions_nest() -> None:
    @onnx_function
    def inner(x: jax.Array) -> jax.Array:
        return jnp.sin(x)

    @onnx_function
    def outer(x: jax.Array) -> jax.Array:
        return inner(x) + inner(x + 1)

    model = assert_agrees(outer, X, specs=[("B", 8)])
    assert sorted(f.name for f in model.functions) == ["inner", "outer"]


def test_a_dimension_that_no_input_shows_is_passed_in() -> None:
    @onnx_function
    def scaled(row: jax.Array, like: jax.Array) -> jax.Array:
        return row * like.shape[0]

    def fn(x: jax.Array) -> jax.Array:
        return scaled(x[0], x)

    assert_agrees(fn, X, specs=[("B", 8)])


def test_a_function_inside_a_loop() -> None:
    @onnx_function
    def step(x: jax.Array) -> jax.Array:
        return x * 0.5 + 1

    assert_agrees(lambda x: jax.lax.fori_loop(0, 4, lambda _, c: step(c), x), X, specs=[("B", 8)])


def test_vmapped_calls_share_one_function() -> None:
    @onnx_function
    def norm(x: jax.Array) -> jax.Array:
        return x / jnp.sqrt((x * x).sum())

    model = assert_agrees(lambda x: jax.vmap(norm)(x) + jax.vmap(norm)(x * 2), X, specs=[("B", 8)])
    assert len(model.functions) == 1


@pytest.mark.parametrize("option", [{"namespace": "a b"}, {"name": "x/y"}])
def test_a_name_that_onnx_does_not_allow_is_refused(option: dict[str, str]) -> None:
    with pytest.raises(InputError, match="must be letters"):
        onnx_function(**option)(lambda x: x)  # type: ignore[call-overload]
