"""Tests of the rules ``gru``, ``lstm`` and ``rnn``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array, lax

from jax2onnx.rewrite.rules.arithmetic import neutral
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.products import linear
from jax2onnx.rewrite.rules.recurrent import gru, lstm, rnn
from jax2onnx.rewrite.rules.views import layout, stored_order, transpose
from jax2onnx.testing.rewriting import agreement_with, in_function, operator_counts

assert_agrees = agreement_with(
    neutral, loop_invariant, linear, gru, lstm, rnn, layout, stored_order, transpose
)

SEQUENCE = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)
_KEY = jax.random.key(0)


def _nnx(cell: Callable[..., Any], **options: Any) -> Any:
    return nnx.RNN(cell(3, 4, rngs=nnx.Rngs(0)), **options)


def _linen(cell: Any, **options: Any) -> Any:
    layer = nn.RNN(cell, **options)
    return layer, layer.init(_KEY, SEQUENCE)


def _equinox(cell: Any, start: Any) -> Callable[[Array], Any]:
    def step(state: Any, x: Array) -> tuple[Any, Array]:
        state = cell(x, state)
        return state, state[0] if isinstance(state, tuple) else state

    return lambda x: lax.scan(step, start, x)


def _many(cell: Any, start: Any) -> Callable[[Array], Any]:
    return jax.vmap(_equinox(cell, start))


ZERO = jnp.zeros(4)
ONE = jnp.ones(1)
LSTM = eqx.nn.LSTMCell(3, 4, key=_KEY)
CELLS = {
    "LSTM": {
        "nnx": _nnx(nnx.LSTMCell),
        "nnx, optimized": _nnx(nnx.OptimizedLSTMCell),
        "nnx, backwards": _nnx(nnx.OptimizedLSTMCell, reverse=True, keep_order=True),
        "nnx, both ways": nnx.Bidirectional(_nnx(nnx.LSTMCell), _nnx(nnx.LSTMCell)),
        "linen": _linen(nn.LSTMCell(4)),
        "linen, optimized": _linen(nn.OptimizedLSTMCell(4)),
        "linen, with its state": _linen(nn.LSTMCell(4), return_carry=True),
        "equinox": _many(eqx.nn.LSTMCell(3, 4, key=_KEY), (ZERO, ZERO)),
        "equinox, begun": _many(eqx.nn.LSTMCell(3, 4, key=_KEY), (ZERO + 0.3, ZERO - 0.2)),
        "equinox, no bias": _many(eqx.nn.LSTMCell(3, 4, use_bias=False, key=_KEY), (ZERO, ZERO)),
    },
    "GRU": {
        "nnx": _nnx(nnx.GRUCell),
        "linen": _linen(nn.GRUCell(4)),
        "equinox": _many(eqx.nn.GRUCell(3, 4, key=_KEY), ZERO),
        "equinox, begun": _many(eqx.nn.GRUCell(3, 4, key=_KEY), ZERO + 0.5),
        "equinox, no bias": _many(eqx.nn.GRUCell(3, 4, use_bias=False, key=_KEY), ZERO),
    },
    "RNN": {
        "nnx": _nnx(nnx.SimpleCell),
        "linen": _linen(nn.SimpleCell(4)),
    },
}


@pytest.mark.parametrize(
    ("operator", "cell"), [pytest.param(o, c, id=n) for o in CELLS for n, c in CELLS[o].items()]
)
def test_fires(operator: str, cell: Any) -> None:
    model = assert_agrees(cell, SEQUENCE, specs=[("B", 5, 3)], rtol=1e-5, atol=1e-6)
    found = operator_counts(model)
    assert found[operator]
    assert not found["Scan"]


@pytest.mark.parametrize(
    ("operator", "cell"),
    [
        ("LSTM", _equinox(eqx.nn.LSTMCell(3, 4, key=_KEY), (ZERO, ZERO))),
        ("GRU", _equinox(eqx.nn.GRUCell(3, 4, key=_KEY), ZERO)),
    ],
)
def test_fires_without_a_batch_and_in_functions(operator: str, cell: Any) -> None:
    model = assert_agrees(in_function(cell), SEQUENCE[0])
    assert operator_counts(model)[operator]


def _stacks_the_state(x: Array) -> Any:
    def step(state: Any, x: Array) -> Any:
        state = LSTM(x, state)
        return state, state[1]

    return lax.scan(step, (ZERO, ZERO), x)


def _other_gate(x: Array) -> Any:
    def step(state: Any, x: Array) -> Any:
        h, c = LSTM(x, state)
        return (h, 2 * c), h

    return lax.scan(step, (ZERO, ZERO), x)


def _weights_by_step(x: Array) -> Any:
    def step(h: Array, x: Array) -> Any:
        h = jnp.tanh(h @ jnp.outer(x, x)[:3, :3] + x)
        return h, h

    return lax.scan(step, jnp.zeros(3), x)


def _gates_of_one_bias(x: Array) -> Any:
    def step(state: Any, x: Array) -> Any:
        h, c = state
        gates = x @ jnp.full((3, 16), 0.1) + h @ jnp.full((4, 16), 0.2) + ONE
        i, f, g, o = jnp.split(gates, 4)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    return lax.scan(step, (ZERO, ZERO), x)


def _product_in_a_gate(x: Array) -> Any:
    """A GRU whose new state has a product of its input in place of a linear map."""

    def step(h: Array, x: Array) -> Any:
        r, z = (
            jax.nn.sigmoid(x @ jnp.full((3, 4), a) + h @ jnp.full((4, 4), 0.2)) for a in (0.1, 0.3)
        )
        n = jnp.tanh((x @ jnp.full((3, 4), 0.5)) ** 2 + r * (h @ jnp.full((4, 4), 0.4)))
        h = (1 - z) * n + z * h
        return h, h

    return lax.scan(step, ZERO, x)


def _bias_of_one_number(x: Array) -> Any:
    def step(h: Array, x: Array) -> Any:
        h = jnp.tanh(x @ jnp.full((3, 4), 0.1) + h @ jnp.full((4, 4), 0.2) + 0.5)
        return h, h

    return lax.scan(step, ZERO, x)


@pytest.mark.parametrize(
    "cell",
    [
        *(_stacks_the_state, _other_gate, _weights_by_step),
        *(_gates_of_one_bias, _bias_of_one_number, _product_in_a_gate),
    ],
)
def test_holds_back(cell: Callable[[Array], Any]) -> None:
    assert operator_counts(assert_agrees(cell, SEQUENCE[0]))["Scan"] == 1


def _plain(x: Array) -> Any:
    def step(h: Array, x: Array) -> Any:
        h = jnp.tanh(x @ jnp.eye(3, dtype=x.dtype) + h @ jnp.full((3, 3), 0.2, x.dtype))
        return h, h

    return lax.scan(step, jnp.zeros_like(x[0]), x)


@pytest.mark.parametrize(("double", "operator"), [(False, "RNN"), (True, "Scan")])
def test_holds_back_for_doubles(double: bool, operator: str) -> None:
    x = SEQUENCE.astype(np.float64 if double else np.float32)
    model = assert_agrees(_plain, x, double=double, rtol=1e-6)
    assert operator_counts(model)[operator] == 1


def test_lengths_of_sequences_are_applied_outside_the_loop() -> None:
    module, variables = _linen(nn.LSTMCell(4))
    lengths = np.array([5, 3], np.int32)
    model = assert_agrees(lambda x, n: module.apply(variables, x, seq_lengths=n), SEQUENCE, lengths)
    assert operator_counts(model)["LSTM"] == 1


def test_loop_invariant_values_are_computed_once() -> None:
    def loop(x: Array, w: Array) -> Any:
        return lax.fori_loop(0, 3, lambda i, x: x * jnp.exp(w).sum() + i, x)

    model = assert_agrees(loop, SEQUENCE, SEQUENCE[0] / 9)
    assert [n.op_type for n in model.graph.node if n.op_type in ("Exp", "Loop")] == ["Exp", "Loop"]


def test_integer_division_stays_in_a_loop_that_may_not_run() -> None:
    def loop(x: Array, by: Array, n: Array) -> Any:
        return lax.fori_loop(0, n, lambda i, x: x + jnp.int32(7) // by, x)

    zero = np.int32(0)
    assert_agrees(loop, np.arange(3, dtype=np.int32), zero, zero)
