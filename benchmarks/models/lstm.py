"""An LSTM layer in Equinox: 128 features in, 256 out."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax


class Lstm(eqx.Module):
    """A cell, run over the sequences of a batch."""

    cell: eqx.nn.LSTMCell

    def __call__(self, x: Array) -> Array:
        """f32 (batch, time, features) -> (batch, time, size)."""
        zero = jnp.zeros(self.cell.hidden_size)

        def step(state: tuple[Array, Array], x: Array) -> tuple[tuple[Array, Array], Array]:
            state = self.cell(x, state)
            return state, state[0]

        run: Callable[[Array], Array] = jax.vmap(lambda x: lax.scan(step, (zero, zero), x)[1])
        return run(x)


def build() -> Lstm:
    """The layer with random weights."""
    return Lstm(eqx.nn.LSTMCell(128, 256, key=jax.random.key(0)))
