from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from flax import nnx
from jax import Array

from jax2onnx.rewrite.rules.activations import gelu, relu
from jax2onnx.rewrite.rules.arithmetic import known_choice, reduce_mean
from jax2onnx.rewrite.rules.images import conv_bias
from jax2onnx.rewrite.rules.indexing import gather
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.norms import batch_normalization, group_normalization
from jax2onnx.rewrite.rules.products import linear
from jax2onnx.rewrite.rules.views import layout, split, stored_order, transpose
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(
    gelu,
    relu,
    known_choice,
    reduce_mean,
    conv_bias,
    gather,
    loop_invariant,
    batch_normalization,
    group_normalization,
    linear,
    layout,
    split,
    stored_order,
    transpose,
)

RNG = np.random.default_rng(0)
IMAGE = RNG.standard_normal((2, 8, 8, 3), np.float32)
SPEC = [("B", 8, 8, 3)]


def transposes(model: onnx.ModelProto) -> int:
    """Return the number of Transposes of other values than parameters."""
    graphs = [model.graph, *model.functions]
    parameters = {i.name for i in model.graph.initializer}
    return sum(
        n.op_type == "Transpose" and n.input[0] not in parameters for g in graphs for n in g.node
    )


def conv(features: int, seed: int, out: int = 6) -> Callable[[Array], Array]:
    kernel: Any = np.random.default_rng(seed).standard_normal((out, features, 3, 3), np.float32) / 5

    def apply(x: Array) -> Array:
        numbers = ("NHWC", "OIHW", "NHWC")
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=numbers)

    return apply


FIRST, SECOND, THIRD = conv(3, 0), conv(6, 1), conv(6, 2)
SCALE = np.linspace(0.5, 1.5, 6, dtype=np.float32)
GRID = np.linspace(-1, 1, 64 * 6, dtype=np.float32).reshape(8, 8, 6)


def elementwise(x: Array) -> Array:
    return SECOND(jnp.tanh(FIRST(x) * SCALE + 1))


def constant_of_many_axes(x: Array) -> Array:
    return SECOND(jnp.sin(FIRST(x) + GRID))


def residual(x: Array) -> Array:
    y = jnp.tanh(FIRST(x))
    for layer in (SECOND, THIRD):
        y = y + jnp.tanh(layer(y))
    return y.mean((1, 2))


def joined(x: Array) -> Array:
    y = FIRST(x)
    wide = jnp.concatenate([y, jnp.abs(y)], axis=-1)
    left, right = jnp.split(jnp.pad(wide, ((0, 0), (1, 1), (0, 0), (0, 0))), 2, axis=-1)
    return SECOND(left[:, 1:-1] * right[:, 1:-1])


def gated(x: Array) -> Array:
    """Compute a squeeze-and-excitation block."""
    y = FIRST(x)
    gate = jax.nn.sigmoid(y.mean((1, 2)) @ np.eye(6, dtype=np.float32))
    return SECOND(y * gate[:, None, None, :] / (1 + jnp.abs(y).max(axis=-1, keepdims=True)))


def grouped(x: Array) -> Array:
    """Normalise in groups of channels."""
    y = FIRST(x).reshape(-1, 8, 8, 3, 2)
    centred = y - y.mean((1, 2, 4), keepdims=True)
    return SECOND((centred * SCALE.reshape(3, 2)).reshape(-1, 8, 8, 6))


ONE_AT_EACH_END = [elementwise, constant_of_many_axes, joined, gated, grouped]


@pytest.mark.parametrize("function", ONE_AT_EACH_END)
def test_one_transpose_at_each_end(function: Any) -> None:
    model = assert_agrees(function, IMAGE, specs=SPEC, rtol=1e-4, atol=1e-5)
    assert transposes(model) == 2


def test_fires_for_doubles() -> None:
    def function(x: Array) -> Array:
        y = jnp.cumsum(x, axis=0).transpose(0, 3, 1, 2)
        return jnp.cumsum((y * SCALE[:3, None, None] + y).transpose(0, 2, 3, 1), axis=0)

    model = assert_agrees(function, IMAGE.astype(np.float64), specs=SPEC, double=True)
    assert transposes(model) == 0


def test_no_transpose_behind_a_mean() -> None:
    assert transposes(assert_agrees(residual, IMAGE, specs=SPEC, rtol=1e-4, atol=1e-5)) == 1


@pytest.mark.parametrize("function", ONE_AT_EACH_END)
def test_no_transpose_at_inputs_and_outputs_with_channels_first(function: Any) -> None:
    def first(x: Array) -> Array:
        return jnp.moveaxis(function(jnp.moveaxis(x, 1, -1)), -1, 1)

    image = np.ascontiguousarray(np.moveaxis(IMAGE, -1, 1))
    model = assert_agrees(first, image, specs=[("B", 3, 8, 8)], rtol=1e-4, atol=1e-5)
    assert transposes(model) == 0


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(elementwise), IMAGE, rtol=1e-4, atol=1e-5)
    moved = operator_counts(model)["Transpose"]
    assert moved == operator_counts(assert_agrees(elementwise, IMAGE))["Transpose"]


class Linen(nn.Module):
    @nn.compact
    def __call__(self, x: Array) -> Array:
        for features in (4, 6):
            x = nn.avg_pool(nn.swish(nn.Conv(features, (3, 3))(x)), (2, 2), (2, 2))
            x = nn.GroupNorm(2)(x)
        return nn.Dense(5)(x.mean((1, 2)))


def test_module_of_linen() -> None:
    module = Linen()
    variables = module.init(jax.random.key(0), IMAGE)
    model = assert_agrees((module, variables), IMAGE, specs=SPEC, rtol=1e-4, atol=1e-5)
    assert transposes(model) == 1


def test_module_of_nnx_with_symbolic_size() -> None:
    rngs = nnx.Rngs(0)
    module = nnx.Sequential(
        nnx.Conv(3, 4, (3, 3), rngs=rngs),
        nnx.BatchNorm(4, use_running_average=True, rngs=rngs),
        nnx.relu,
        nnx.Conv(4, 4, (3, 3), rngs=rngs),
        lambda x: x.mean((1, 2)),
    )
    model = assert_agrees(module, IMAGE, specs=[("B", "H", "W", 3)], rtol=1e-4, atol=1e-5)
    assert transposes(model) == 1


def test_does_not_change_channels_first() -> None:
    keys = jax.random.split(jax.random.key(0))
    layers = [eqx.nn.Conv2d(3, 4, 3, key=keys[0]), eqx.nn.Conv2d(4, 4, 3, key=keys[1])]
    image = np.moveaxis(IMAGE, -1, 1)
    model = assert_agrees(
        jax.vmap(lambda x: layers[1](jax.nn.relu(layers[0](x)))), image, rtol=1e-4, atol=1e-5
    )
    assert transposes(model) == 0


def attention(x: Array) -> Array:
    heads = x.reshape(2, 8, 8, 3).swapaxes(1, 2)
    return (jnp.tanh(heads @ heads.swapaxes(2, 3)) @ heads).swapaxes(1, 2)


def last_axis_between(x: Array) -> Array:
    """Compute something that needs the channels last, between convolutions."""
    return SECOND(jax.nn.gelu(FIRST(x) @ np.eye(6, dtype=np.float32)[::-1]))


def read_in_between(x: Array) -> tuple[Array, Array]:
    y = jnp.tanh(FIRST(x))
    return SECOND(y), y


@pytest.mark.parametrize(
    ("function", "count"), [(attention, 3), (last_axis_between, 4), (read_in_between, 3)]
)
def test_holds_back_where_no_transpose_would_be_saved(function: Any, count: int) -> None:
    assert transposes(assert_agrees(function, IMAGE, rtol=1e-4, atol=1e-5)) == count


def test_a_value_and_its_transpose_in_one_region() -> None:
    def symmetrised(a: Any) -> Any:
        return (a + jnp.conj(a.mT)) / 2

    x = np.random.default_rng(0).standard_normal((2, 2, 5, 5))
    assert_agrees(symmetrised, (x[0] + 1j * x[1]).astype("complex64"))


def test_an_operand_with_fewer_axes_inside_the_region() -> None:
    def scaled(a: Any) -> Any:
        size = jnp.max(jnp.abs(a.T), axis=0, keepdims=True)
        return (a.T / jnp.where(size > 0, size, 1)).T

    assert_agrees(scaled, np.arange(12, dtype="float32").reshape(3, 4))
