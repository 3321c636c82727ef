"""Jacobi's rotations of many pairs of rows at once, by Brent and Luk's round-robin.

Rows are paired across the two halves of a matrix, row i with i + h of 2h. After each round the
rows move on by one place in a ring, while the first stays. After 2h - 1 rounds each row has been
paired with each other one, and is in its place again. (Rows are rotated, and not columns, because
a row lies together in memory.)
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax2onnx.lower.rules.linalg.matrices import magnitude, squares
from jax2onnx.lower.rules.linalg.parts import State
from jax2onnx.trace.dimensions import Dim, is_static

SWEEPS = 30
"""The limit of sweeps over all pairs; no matrix seen took more than 12."""


def padded(a: Array, rows: Any, columns: Any) -> Array:
    """Return matrices with zeros below and to the right.

    Args:
        a: (..., m, n).
        rows: how many to add.
        columns: how many to add.
    """
    return lax.pad(a, a.dtype.type(0), [(0, 0, 0)] * (a.ndim - 2) + [(0, rows, 0), (0, columns, 0)])


def scaled(a: Array) -> tuple[Array, Array]:
    """Return matrices divided by their largest elements, and the divisors."""
    scale = jnp.max(magnitude(a), axis=(-2, -1), keepdims=True)
    scale = jnp.where(scale > 0, scale, 1)
    return a / scale, scale


def halves(a: Array) -> tuple[Array, Array]:
    """Return the upper and the lower half of the rows."""
    upper, lower = jnp.split(a, 2, axis=-2)
    return upper, lower


def rotation(alpha: Array, beta: Array, gamma: Array) -> tuple[Array, Array]:
    """Return the smaller rotation that makes [[alpha, gamma], [gamma*, beta]] diagonal.

    Args:
        alpha: the first diagonal elements, real.
        beta: the second ones.
        gamma: the elements above the diagonal.

    Returns:
        w, its sine times the phase of gamma, and w / (1 + c), for c its cosine.
    """
    size = jnp.sqrt(squares(gamma))
    safe = jnp.where(size == 0, 1, size)
    tau = (beta - alpha) / (2 * safe)
    tangent = jnp.where(tau >= 0, 1, -1) / (abs(tau) + jnp.sqrt(1 + tau * tau))
    cosine = 1 / jnp.sqrt(1 + tangent * tangent)
    w = cosine * tangent * (gamma / safe)
    return w, w / (1 + cosine)


def rotate(a: Array, w: Array, half_turn: Array) -> Array:
    """Multiply the pairs of rows by the adjoint rotations, and move them on to the next round.

    Args:
        a: (..., 2h, n).
        w: of ``rotation``, for each pair, (..., h, 1).
        half_turn: of ``rotation`` likewise.

    The pair (x, y) becomes (c x - w y, w* x + c y), as a change of each (Rutishauser, 1966), so
    that the rounding of c does not add up over the rounds.
    """
    upper, lower = halves(a)
    both = [
        upper - w * (lower + jnp.conj(half_turn) * upper),
        lower + jnp.conj(w) * (upper - half_turn * lower),
    ]
    half = upper.shape[-2]
    xp: Any = np if is_static([half]) else jnp
    i = xp.arange(2 * half)
    order = xp.select(
        [i == 0, i == 1, i < half, i < 2 * half - 1], [i, i - 1 + half, i - 1, i + 1], half - 1
    )
    return jnp.concatenate(both, axis=-2)[..., order, :]


def sweep(round_of: Callable[[State], State], state: State, size: Dim) -> State:
    """Return the state after all rounds of one sweep.

    Args:
        round_of: rotates all pairs of one round.
        state: the state before.
        size: the number of rows of the matrix.
    """
    final: State = lax.fori_loop(0, size - 1, lambda _, state: round_of(state), state)
    return final
