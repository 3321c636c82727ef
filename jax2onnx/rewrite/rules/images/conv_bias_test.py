from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array, lax

from jax2onnx.rewrite.rules.images import conv_bias
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.views import stored_order
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(conv_bias, loop_invariant, stored_order)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 3, 6, 5), np.float32)
KERNEL = RNG.standard_normal((4, 3, 3, 3), np.float32)
BIAS = np.linspace(-1, 1, 4, dtype=np.float32)


def convolved(x: Array) -> Array:
    return lax.conv(x, jnp.asarray(KERNEL), (1, 1), "SAME")


def by_channel(x: Array) -> Array:
    return convolved(x) + BIAS[:, None, None]


def test_channels_first() -> None:
    model = assert_agrees(by_channel, X, specs=[("B", 3, 6, 5)], atol=1e-4)
    assert operators(model) == ["Conv"]


def test_module_of_equinox() -> None:
    module = jax.vmap(eqx.nn.Conv2d(3, 4, 3, key=jax.random.key(0)))
    model = assert_agrees(module, X, atol=1e-4)
    assert operator_counts(model)["Add"] == 0
    conv = next(n for n in model.graph.node if n.op_type == "Conv")
    assert len(conv.input) == 3


def test_module_of_flax_keeps_channels_last() -> None:
    module = nnx.Conv(3, 4, (3, 3), rngs=nnx.Rngs(0))
    assert module.bias is not None
    module.bias[...] = jnp.asarray(BIAS)
    model = assert_agrees(module, X.transpose(0, 2, 3, 1), atol=1e-4)
    assert [n for n in operators(model) if n != "Transpose"] == ["Conv"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(by_channel), X, atol=1e-4)
    assert operator_counts(model)["Conv"] == 1
    assert operator_counts(model)["Add"] == (place.__name__ == "in_loop")  # The loop has a counter.


def along_rows(x: Array) -> Array:
    return convolved(x) + np.arange(5, dtype=np.float32)


def over_the_batch(x: Array) -> Array:
    return convolved(x) + np.ones((2, 4, 1, 1), np.float32)


def read_by_others(x: Array) -> tuple[Array, Array]:
    result = convolved(x)
    return result, result + BIAS[:, None, None]


@pytest.mark.parametrize("function", [along_rows, over_the_batch, read_by_others])
def test_holds_back(function: Any) -> None:
    model = assert_agrees(function, X, atol=1e-4)
    assert operator_counts(model)["Add"] == 1
