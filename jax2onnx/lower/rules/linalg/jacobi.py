"""Jacobi's rotations of many pairs of rows at once, by Brent and Luk's round-robin.

Rows are paired across the two halves of a matrix, row i with i + h of 2h. After each round the
rows move on by one place in a ring, the first staying where it is, so that 2h - 1 rounds pair each
row with each other one, and leave them as they were. (Rows, since those lie together in memory.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jax2onnx.lower.rules.linalg.matrices import magnitude, squares
from jax2onnx.trace.dimensions import is_static

SWEEPS = 30
"""No matrix seen took more than 12."""


def padded(a: Any, rows: int, columns: int) -> Any:
    """Matrices with zeros below and to the right."""
    return lax.pad(a, a.dtype.type(0), [(0, 0, 0)] * (a.ndim - 2) + [(0, rows, 0), (0, columns, 0)])


def scaled(a: Any) -> tuple[Any, Any]:
    """Matrices whose largest elements are about 1, and what they were divided by."""
    scale = jnp.max(magnitude(a), axis=(-2, -1), keepdims=True)
    scale = jnp.where(scale > 0, scale, 1)
    return a / scale, scale


def halves(a: Any) -> Any:
    """The upper and the lower half of the rows."""
    return jnp.split(a, 2, axis=-2)


def rotation(alpha: Any, beta: Any, gamma: Any) -> tuple[Any, Any]:
    """The smaller rotation that makes [[alpha, gamma], [gamma*, beta]] diagonal.

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


def rotate(a: Any, w: Any, half_turn: Any) -> Any:
    """Multiplies the pairs of rows by the adjoint rotations, and moves them on to the next round.

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


def sweep(round_of: Callable[[Any], Any], state: Any, size: Any) -> Any:
    """All rounds of a matrix of ``size`` rows."""
    return lax.fori_loop(0, size - 1, lambda _, state: round_of(state), state)
