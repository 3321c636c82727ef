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

from jax2onnx.rewrite.rules.arithmetic import neutral, reduce_mean
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.norms import rms_normalization
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(neutral, reduce_mean, loop_invariant, rms_normalization)

X = np.random.default_rng(0).standard_normal((3, 4, 8), np.float32) + 1
SCALE = np.linspace(0.5, 2, 8, dtype=np.float32)


def scaled_last(x: Array) -> Array:
    return x * lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + 1e-5) * SCALE


def scaled_first(x: Array) -> Array:
    return x * (SCALE / jnp.sqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-5))


def divided(x: Array) -> Array:
    return x / jnp.sqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-5)


def scaled_before_the_division(x: Array) -> Array:
    return jnp.asarray(SCALE) * x / jnp.sqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-6)


def linen() -> tuple[nn.Module, Any]:
    module = nn.RMSNorm()
    return module, jax.tree.map(lambda _: SCALE, module.init(jax.random.key(0), X))


@pytest.mark.parametrize("specs", [[("B", 4, 8)], [(3, 4, 8)]])
@pytest.mark.parametrize(
    "function",
    [
        jax.vmap(jax.vmap(eqx.nn.RMSNorm(8, use_bias=False))),
        jax.vmap(jax.vmap(eqx.nn.RMSNorm(8, use_weight=False, use_bias=False))),
        nnx.RMSNorm(8, rngs=nnx.Rngs(0)),
        nnx.RMSNorm(8, use_scale=False, rngs=nnx.Rngs(0)),
        linen(),
        scaled_last,
        scaled_first,
        divided,
        scaled_before_the_division,
    ],
)
def test_fires(function: Any, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs)
    assert operators(model) == ["RMSNormalization"]


@pytest.mark.parametrize(
    "function",
    [
        lambda x, root: x / root * SCALE * (SCALE + 1),
        lambda x, root: 1 / root * (x * SCALE) * (SCALE * x),
        lambda x, root: x * SCALE * (1 / root) * (SCALE + 1) * x + SCALE,
    ],
)
def test_further_factors_stay(function: Any) -> None:
    def scaled_twice(x: Array) -> Any:
        return function(x, jnp.sqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-5))

    assert "RMSNormalization" in operators(assert_agrees(scaled_twice, X))


def test_fires_for_channels_that_come_first() -> None:
    def normal(x: Array) -> Array:
        return x * lax.rsqrt(jnp.mean(x * x, axis=1, keepdims=True) + 1e-5)

    x = np.random.default_rng(0).standard_normal((2, 16, 5), np.float32)
    model = assert_agrees(normal, x, specs=[("B", 16, "T")])
    assert operators(model) == ["Transpose", "RMSNormalization", "Transpose"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(scaled_last), X)
    assert operator_counts(model)["RMSNormalization"] == 1


def test_holds_back_below_opset_23() -> None:
    model = assert_agrees(scaled_last, X, opset=22)
    assert operator_counts(model)["RMSNormalization"] == 0


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * lax.rsqrt(jnp.mean(x * x, axis=0, keepdims=True) + 1e-5),
        lambda x: (x + 1) * lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-5),
        lambda x: x * lax.rsqrt(jnp.sum(x * x, axis=-1, keepdims=True) + 1e-5),
        lambda x: SCALE * (x + 1) / jnp.sqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-5),
    ],
)
def test_holds_back(function: Any) -> None:
    model = assert_agrees(function, X)
    assert operator_counts(model)["RMSNormalization"] == 0


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(scaled_last, X.astype(np.float64), double=True, rtol=1e-10)
    assert operator_counts(model)["RMSNormalization"] == 0
