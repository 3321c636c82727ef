from __future__ import annotations

from typing import Any

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array

from jax2onnx.rewrite.rules.activations import relu
from jax2onnx.rewrite.rules.arithmetic import known_choice, neutral, reduce_mean
from jax2onnx.rewrite.rules.images import conv_bias
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.norms import batch_normalization
from jax2onnx.rewrite.rules.views import layout, stored_order, transpose
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(
    relu,
    known_choice,
    neutral,
    reduce_mean,
    conv_bias,
    loop_invariant,
    batch_normalization,
    layout,
    stored_order,
    transpose,
)

GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((2, 5, 6, 4)).astype(np.float32)
S, B, M, V = GENERATOR.uniform(0.5, 2, (4, 4)).astype(np.float32)


def perturbed(tree: Any) -> Any:
    """Return a module or its state with arrays that are not zeros and ones."""
    return jax.tree.map(lambda a: a * 1.5 + jnp.linspace(0.1, 0.2, a.size).reshape(a.shape), tree)


def nnx_norm(**options: Any) -> Any:
    norm = nnx.BatchNorm(4, use_running_average=True, rngs=nnx.Rngs(0), **options)
    graph, state = nnx.split(norm)
    return nnx.merge(graph, perturbed(state))


def linen_norm(**options: Any) -> Any:
    module = nn.BatchNorm(use_running_average=True, **options)
    return module, perturbed(module.init(jax.random.key(0), X))


def equinox_norm(mode: Any) -> Any:
    norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(4, "batch", mode=mode)
    arrays, rest = eqx.partition(eqx.nn.inference_mode(norm), eqx.is_inexact_array)
    norm = eqx.combine(perturbed(arrays), rest)
    return jax.vmap(lambda x: norm(x, state)[0], axis_name="batch")


def by_hand(x: Array, v: Array = V) -> Any:
    return (x - M) / jnp.sqrt(v + 1e-3) * S + B


PARAMETERS = [jnp.asarray(a) for a in (S, B, M, V)]


def as_keras(x: Array) -> Any:
    scale, bias, mean, variance = (p.reshape(1, 1, 1, 4) for p in PARAMETERS)
    inverse = jax.lax.rsqrt(variance + 1e-3) * scale
    return x * inverse + (-mean * inverse + bias)


def as_keras_without_scale(x: Array) -> Any:
    _, bias, mean, variance = PARAMETERS
    inverse = jax.lax.rsqrt(variance + 1e-3)
    return x * inverse + (bias - mean * inverse)


def as_haiku(x: Array) -> Any:
    scale, bias, mean, variance = (p.reshape(1, 1, 1, 4) for p in PARAMETERS)
    return (x - mean) * (scale * jax.lax.rsqrt(variance + 1e-3)) + bias


@pytest.mark.parametrize("specs", [[("B", 5, 6, 4)], [("B", "H", "W", 4)], [(2, 5, 6, 4)]])
@pytest.mark.parametrize(
    "norm", [nnx_norm(), linen_norm(), as_keras, as_keras_without_scale, as_haiku]
)
def test_fires_with_channels_last(norm: Any, specs: Any) -> None:
    model = assert_agrees(norm, X, specs=specs)
    assert operators(model) == ["Transpose", "BatchNormalization", "Transpose"]


@pytest.mark.parametrize("mode", ["batch", "ema"])
def test_fires_with_channels_first(mode: Any) -> None:
    model = assert_agrees(equinox_norm(mode), X.transpose(0, 3, 1, 2))
    assert operators(model) == ["BatchNormalization"]


@pytest.mark.parametrize("options", [{"use_scale": False}, {"use_bias": False}, {"epsilon": 0.1}])
@pytest.mark.parametrize("norm", [nnx_norm, linen_norm])
def test_fires_without_scale_or_bias(norm: Any, options: Any) -> None:
    model = assert_agrees(norm(**options), X[:, 0, 0])
    assert operators(model) == ["BatchNormalization"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(by_hand), X, V)
    assert operator_counts(model)["BatchNormalization"] == 1


def test_stands_between_convolutions_without_transposes() -> None:
    conv, norm = nnx.Conv(4, 4, (3, 3), rngs=nnx.Rngs(0)), nnx_norm()
    model = assert_agrees(lambda x: conv(norm(conv(x))), X, specs=[("B", 5, 6, 4)])
    assert operators(model) == ["Transpose", "Conv", "BatchNormalization", "Conv", "Transpose"]


def test_half_precision() -> None:
    model = assert_agrees(nnx_norm(), X.astype(np.float16), rtol=1e-2, atol=1e-2)
    assert operator_counts(model)["BatchNormalization"] == 1


def along_two_axes(x: Array, v: Array) -> Any:
    return (x - M) / jnp.sqrt(v + 1e-3) * np.ones((6, 1), np.float32) * S[:, None, None, None]


def another_mean(x: Array, v: Array) -> Any:
    inverse = jax.lax.rsqrt(v + 1e-3) * S
    return x * inverse + (B + M * inverse)


def another_scale(x: Array, v: Array) -> Any:
    inverse = jax.lax.rsqrt(v + 1e-3)
    return x * (inverse * S) + (B - M * inverse)


def mean_of_rows(x: Array, v: Array) -> Any:
    inverse = jax.lax.rsqrt(v + 1e-3) * S
    return x * inverse + (B - M[:, None] * inverse)


def statistics_along_the_batch(x: Array) -> Any:
    return (x[:, :, 0] - x[:, 0, 0]) / jnp.sqrt(x[0, 0, 0, 0] ** 2 + 1)


def test_further_factors_stay() -> None:
    def scaled_twice(x: Array, v: Array) -> Any:
        return (x - M) * S * jax.lax.rsqrt(v + 1e-3) * (S + 1)

    model = assert_agrees(scaled_twice, X, V, rtol=1e-4)
    assert operator_counts(model)["BatchNormalization"] == 1


@pytest.mark.parametrize(
    ("function", "arrays"),
    [
        (nnx.BatchNorm(4, use_running_average=False, rngs=nnx.Rngs(0)), (X,)),
        (lambda x, v: (x - M) / jnp.sqrt(v + 1e-3), (X[0, 0, 0], V)),
        (another_mean, (X, V)),
        (another_scale, (X, V)),
        (mean_of_rows, (X[:, :, :4], V)),
        (lambda x, v: (x - M[:, None]) / jnp.sqrt(v + 1e-3), (X[:, :, :4], V)),
        (lambda x, v: (x - M) / jnp.sqrt(v + 1e-3), (X[:, :, :, :1], V)),
        (lambda x, v: (x - M) / jnp.sqrt(v[:, None, None, None] + 1), (np.stack([X[0]] * 4), V)),
    ],
)
@pytest.mark.filterwarnings("ignore:calling the model changes its state")
def test_holds_back(function: Any, arrays: Any) -> None:
    model = assert_agrees(function, *arrays, rtol=1e-4, atol=1e-4, training=True)
    assert operator_counts(model)["BatchNormalization"] == 0


def test_holds_back_for_doubles() -> None:
    arrays = (X.astype(np.float64), V.astype(np.float64))
    model = assert_agrees(by_hand, *arrays, double=True, rtol=1e-12)
    assert operator_counts(model)["BatchNormalization"] == 0
