"""A warning names the state that a call changes and the graph loses, and no other state."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jax2onnx.api import to_onnx
from jax2onnx.errors import StateChangeWarning
from jax2onnx.testing.conversion import assert_agrees

RNGS = nnx.Rngs(0)
MODULES: dict[str, Callable[[], Any]] = {
    "batch norm": lambda: nnx.BatchNorm(8, rngs=RNGS),
    "dropout": lambda: nnx.Dropout(0.5, rngs=nnx.Rngs(0)),
    "attention": lambda: nnx.MultiHeadAttention(
        2, 8, decode=False, deterministic=False, dropout_rate=0.1, rngs=nnx.Rngs(0)
    ),
    "recurrent": lambda: nnx.RNN(nnx.GRUCell(8, 8, rngs=RNGS), rngs=nnx.Rngs(0)),
}
CHANGED = {"batch norm": "mean, var", "dropout": "rngs.count", "attention": "rngs.count"}


class Within(nnx.Module):
    """A module that calls another one through a transformation of Flax."""

    def __init__(self, module: Any, transform: Callable[[Any], Any]) -> None:
        self.module, self.transform = module, transform

    def __call__(self, x: jax.Array) -> Any:
        return self.transform(_call)(self.module, x)


def _call(module: Any, x: jax.Array) -> Any:
    return module(x)


def _branch(function: Any) -> Any:
    return lambda module, x: nnx.cond(x.sum() > 0, function, function, module, x)


def _remat(function: Any) -> Any:
    return nnx.jit(nnx.remat(function))


@pytest.mark.parametrize("transform", [None, nnx.jit, _remat, _branch])
@pytest.mark.parametrize("name", MODULES)
def test_no_warning_in_evaluation_mode(name: str, transform: Any) -> None:
    module = MODULES[name]()
    net = Within(module, transform) if transform else module
    to_onnx(net, [(2, 5, 8)])  # Warnings are errors.
    to_onnx(functools.partial(_call, net), [(2, 5, 8)])


@pytest.mark.parametrize("name", CHANGED)
def test_a_change_that_the_graph_loses_is_named(name: str) -> None:
    net = MODULES[name]()
    message = rf"changes its state {CHANGED[name]}, for which [\s\S]*model\.eval\(\)"
    for fn in (net, net.__call__, functools.partial(_call, net)):
        with pytest.warns(StateChangeWarning, match=message) as caught:
            to_onnx(fn, [(2, 5, 8)], training=True)
        assert [w.filename for w in caught] == [__file__]
    with pytest.warns(StateChangeWarning, match=r"module\."):
        to_onnx(Within(net, nnx.jit), [(2, 5, 8)], training=True)


@pytest.mark.parametrize("name", CHANGED)
def test_no_warning_for_state_that_is_returned(name: str) -> None:
    def both(module: Any, x: jax.Array) -> Any:
        return module(x), nnx.state(module)

    to_onnx(functools.partial(both, MODULES[name]()), [(2, 5, 8)], training=True)


def test_a_cache_that_is_not_updated_is_named() -> None:
    net = nnx.MultiHeadAttention(2, 8, decode=True, rngs=RNGS)
    net.init_cache((2, 1, 8))
    with pytest.warns(StateChangeWarning, match="cache_index, cached_key, cached_value, f[^L]*If"):
        to_onnx(net, [(2, 1, 8)])


def test_many_changes_are_counted() -> None:
    net = nnx.Sequential(*(MODULES["batch norm"]() for _ in range(4)))
    with pytest.warns(StateChangeWarning, match=r"layers\.0\.mean, .*, \.\.\. \(8\), for"):
        to_onnx(net, [(2, 8)], training=True)


def test_no_warning_for_a_flag_that_selects_evaluation_mode() -> None:
    class Net(nnx.Module):
        def __init__(self) -> None:
            self.dropout = nnx.Dropout(0.5, rngs=nnx.Rngs(0))

        def __call__(self, x: jax.Array, deterministic: bool) -> Any:
            return jnp.tanh(self.dropout(x, deterministic=deterministic))

    to_onnx(Net(), [("B", 8)], {"deterministic": True})


def test_a_stateful_equinox_layer_can_be_converted_again() -> None:
    key = jax.random.PRNGKey(0)
    layer = eqx.nn.Linear(4, 3, key=key)
    made = eqx.nn.make_with_state(eqx.nn.SpectralNorm)(layer, "weight", key=key)
    called = functools.partial(lambda norm, state, x: norm(x, state)[0], *made)
    assert_agrees(called, np.ones(4, np.float32))
