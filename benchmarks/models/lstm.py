"""An LSTM layer in Equinox with 128 input and 256 output features."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax


class Lstm(eqx.Module):
    """An LSTM cell that is scanned over the sequences of a batch."""

    cell: eqx.nn.LSTMCell

    def __call__(self, x: Array) -> Array:
        """Map f32 (batch, time, features) to the hidden states (batch, time, size)."""
        zero = jnp.zeros(self.cell.hidden_size)

        def step(state: tuple[Array, Array], x: Array) -> tuple[tuple[Array, Array], Array]:
            state = self.cell(x, state)
            return state, state[0]

        run: Callable[[Array], Array] = jax.vmap(lambda x: lax.scan(step, (zero, zero), x)[1])
        return run(x)


def build() -> Lstm:
    """Return the layer with random weights."""
    return Lstm(eqx.nn.LSTMCell(128, 256, key=jax.random.key(0)))
