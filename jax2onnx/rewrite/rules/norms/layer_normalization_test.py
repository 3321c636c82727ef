from __future__ import annotations

from typing import Any

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array, lax

from jax2onnx.rewrite.rules.arithmetic import known_choice, reduce_mean
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.norms import layer_normalization
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(known_choice, reduce_mean, loop_invariant, layer_normalization)

X = np.random.default_rng(0).standard_normal((3, 4, 8), np.float32) + 1
SCALE = np.linspace(0.5, 2, 8, dtype=np.float32)
BIAS = np.linspace(-1, 1, 8, dtype=np.float32)


def linen(module: nn.Module) -> tuple[nn.Module, Any]:
    variables = module.init(jax.random.key(0), X)
    values = iter((BIAS, SCALE) if len(jax.tree.leaves(variables)) == 2 else (SCALE,))
    return module, jax.tree.map(lambda _: next(values), variables)


def equinox(**options: Any) -> Any:
    module = eqx.nn.LayerNorm(8, **options)
    if module.weight is not None:
        module = eqx.tree_at(lambda m: m.weight, module, jnp.asarray(SCALE))
    return jax.vmap(jax.vmap(module))


def flax(**options: Any) -> nnx.Module:
    module = nnx.LayerNorm(8, rngs=nnx.Rngs(0), **options)
    if module.scale is not None:
        module.scale[...] = jnp.asarray(SCALE)
    return module


def by_variance(x: Array) -> Any:
    deviation = jnp.sqrt(jnp.var(x, axis=-1, keepdims=True) + 1e-5)
    return (x - jnp.mean(x, axis=-1, keepdims=True)) / deviation * SCALE + BIAS


def by_squares(x: Array) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return SCALE * (centred * lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)) + BIAS


def scaled_first(x: Array) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    inverse = 1 / jnp.sqrt(jnp.mean(jnp.square(centred), -1, keepdims=True) + 1e-5)
    return centred * SCALE * inverse


def axes_put_back_late(x: Array) -> Array:
    centred = x - x.mean(-1)[..., None]
    return centred * lax.rsqrt(jnp.mean(centred * centred, -1) + 1e-5)[..., None]


def two_axes(x: Array) -> Any:
    centred = x - x.mean((-1, -2), keepdims=True)
    table = np.outer(np.arange(1.0, 5.0), SCALE).astype(np.float32)
    return centred * lax.rsqrt((centred**2).mean((-1, -2), keepdims=True) + 1e-5) * table


def as_keras(x: Array) -> Any:
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    inverse = lax.rsqrt(variance + 1e-3) * SCALE
    return x * inverse + (-mean * inverse + BIAS)


def as_keras_without_bias(x: Array) -> Any:
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    inverse = lax.rsqrt(variance + 1e-3)
    return x * inverse - mean * inverse


@pytest.mark.parametrize("specs", [[("B", 4, 8)], [(3, 4, 8)]])
@pytest.mark.parametrize(
    "function",
    [
        as_keras,
        as_keras_without_bias,
        equinox(),
        equinox(use_bias=False),
        flax(),
        flax(use_fast_variance=False),
        flax(use_bias=False),
        flax(use_scale=False, use_bias=False),
        linen(nn.LayerNorm()),
        linen(nn.LayerNorm(use_bias=False)),
        by_variance,
        by_squares,
        scaled_first,
        axes_put_back_late,
        two_axes,
        jax.nn.standardize,
    ],
)
def test_fires(function: Any, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs)
    assert operators(model) == ["LayerNormalization"]


def test_the_scale_stays_a_parameter() -> None:
    model = assert_agrees(flax(), X)
    assert list(model.graph.node[0].input) == ["x", "scale", "bias"]


@pytest.mark.parametrize("shape", [(1, 8), (1, 1, 8), (3, 1, 8)])
@pytest.mark.parametrize("function", [flax(), by_squares, as_keras])
def test_fires_for_a_single_row(function: Any, shape: Any) -> None:
    model = assert_agrees(
        function, X[:1, :1].reshape(1, 1, 8).repeat(3, 0)[: shape[0]].reshape(shape)
    )
    assert operators(model) == ["LayerNormalization"]


def test_fires_for_a_single_row_of_a_vmap() -> None:
    model = assert_agrees(jax.vmap(eqx.nn.LayerNorm(8)), X[:1, 0])
    assert operators(model) == ["LayerNormalization"]


def channels_first(x: Array) -> Any:
    """Normalise the 16 channels of images, as ConvNeXt does."""
    scale, bias = (jnp.linspace(a, 2, 16)[:, None, None] for a in (0.5, -1))
    centred = x - x.mean(1, keepdims=True)
    return centred * lax.rsqrt((centred**2).mean(1, keepdims=True) + 1e-6) * scale + bias


IMAGES = np.random.default_rng(1).standard_normal((2, 16, 5, 6), np.float32) + 1


@pytest.mark.parametrize("specs", [[("B", 16, "H", "W")], [(2, 16, 5, 6)]])
def test_fires_for_channels_that_come_first(specs: Any) -> None:
    model = assert_agrees(channels_first, IMAGES, specs=specs)
    assert operators(model)[-3:] == ["Transpose", "LayerNormalization", "Transpose"]
    assert "ReduceMean" not in operators(model)


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(by_squares), X)
    assert operator_counts(model)["LayerNormalization"] == 1


def test_without_scale_inside_a_function() -> None:
    model = assert_agrees(PLACES[0](axes_put_back_late), X)
    assert operator_counts(model)["LayerNormalization"] == 1


def test_factor_that_differs_from_row_to_row_stays() -> None:
    def adaptive(x: Array, shift: Array) -> Array:
        return jax.nn.standardize(x) * shift[:, None] + shift[:, None]

    model = assert_agrees(adaptive, X, X[:, 0])
    assert [n for n in operators(model) if n != "Unsqueeze"] == ["LayerNormalization", "Mul", "Add"]


def test_further_factors_stay() -> None:
    def scaled_twice(x: Array) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        return centred * SCALE * lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * (SCALE + 1)

    model = assert_agrees(scaled_twice, X)
    assert operators(model) == ["LayerNormalization", "Mul"]


def test_statistics_that_are_also_outputs() -> None:
    def both(x: Array) -> tuple[Array, Array]:
        mean = x.mean(-1, keepdims=True)
        centred = x - mean
        return centred * lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5), mean

    model = assert_agrees(both, X)
    assert sorted(operators(model)) == ["LayerNormalization", "ReduceMean"]


def first_axis(x: Array) -> Array:
    centred = x - x.mean(0, keepdims=True)
    return centred * lax.rsqrt((centred**2).mean(0, keepdims=True) + 1e-5)


def variance_of_another(x: Array) -> Array:
    return (x - x.mean(-1, keepdims=True)) * lax.rsqrt((2 * x).var(-1, keepdims=True) + 1e-5)


def unbiased(x: Array) -> Array:
    return (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True, ddof=1) + 1e-5)


def mean_of_another(x: Array) -> Array:
    inverse = lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)
    return x * inverse - x[..., ::-1].mean(-1, keepdims=True) * inverse


def scale_along_another_axis(x: Array) -> Array:
    normalised = (x - x.mean(-1, keepdims=True)) * lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)
    return normalised * jnp.arange(1.0, x.shape[1] + 1)[:, None]


def mean_of_other_axis(x: Array) -> Array:
    square = x[:, :, :4]
    inverse = lax.rsqrt(square.var(-1, keepdims=True) + 1e-5)
    return square * inverse - square.mean(1)[..., None] * inverse


@pytest.mark.parametrize(
    "function",
    [first_axis, variance_of_another, unbiased, mean_of_another, mean_of_other_axis],
)
def test_holds_back(function: Any) -> None:
    model = assert_agrees(function, X)
    assert operator_counts(model)["LayerNormalization"] == 0


def test_a_scale_along_another_axis_stays_outside() -> None:
    model = assert_agrees(scale_along_another_axis, X)
    assert operators(model)[-1] == "Mul"


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(by_squares, X.astype(np.float64), double=True, rtol=1e-10, atol=1e-12)
    assert operator_counts(model)["LayerNormalization"] == 0
