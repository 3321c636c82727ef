"""Tridiagonal systems by elimination with partial pivoting (LAPACK's ``gtsv``)."""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.lax import linalg

from jax2onnx.lower.registry import in_jax, register_lowering
from jax2onnx.lower.rules.linalg.matrices import magnitude
from jax2onnx.lower.rules.linalg.parts import State, rows_of

Row = tuple[Array, Array, Array]


@register_lowering(linalg.tridiagonal_solve_p)
@in_jax
def _tridiagonal_solve(
    dl: Array, d: Array, du: Array, b: Array, *, perturb_singular: bool
) -> Array:
    """Solve tridiagonal systems by elimination with partial pivoting.

    The diagonals are (..., n), and the right hand sides (..., n, k). The first element of ``dl``
    and the last one of ``du`` are not read. A pivot of 0 is perturbed, or makes the solution NaN.
    """
    if d.shape[-1] == 0:
        return b
    end = jnp.zeros_like(du[..., :1])
    low, middle, high = (rows_of(x[..., None]) for x in (dl, d, du.at[..., -1:].set(end)))
    right = rows_of(b)
    rest, rows = lax.scan(
        _eliminate, (middle[0], high[0], right[0]), (low[1:], middle[1:], high[1:], right[1:])
    )
    zero = jnp.zeros_like(middle[0])
    ends = (rest[0], zero, zero, rest[2])
    pivots, first, second, right = (
        jnp.concatenate([x, last[None]]) for x, last in zip(rows, ends, strict=True)
    )
    if perturb_singular:
        largest = jnp.max(abs(jnp.stack([pivots, first, second])), axis=(0, 1))
        least = np.finfo(d.dtype).eps * jnp.where(largest == 0, 1, largest)
        pivots = jnp.where(abs(pivots) < least, least.astype(d.dtype), pivots)

    def substitute(known: tuple[Array, Array], slices: State) -> tuple[tuple[Array, Array], Array]:
        pivot, first, second, right = slices
        x = (right - first * known[0] - second * known[1]) / pivot
        return (x, known[0]), x

    none = jnp.zeros_like(right[0])
    x = lax.scan(substitute, (none, none), (pivots, first, second, right), reverse=True)[1]
    if not perturb_singular:
        x = jnp.where(jnp.all(pivots != 0, axis=0), x, np.nan)
    return jnp.moveaxis(x, 0, -3)[..., 0, :]


def _eliminate(current: Row, following: State) -> tuple[Row, State]:
    """Eliminate one unknown from two rows, the larger of which becomes a row of U."""
    (d, du, b), (low, next_d, next_du, next_b) = current, following
    stay = magnitude(d) >= magnitude(low)
    pivot, other = jnp.where(stay, d, low), jnp.where(stay, low, d)
    factor = other / jnp.where(pivot == 0, 1, pivot)
    first, second = jnp.where(stay, du, next_d), jnp.where(stay, 0, next_du)
    right = jnp.where(stay, b, next_b)
    remaining = (
        jnp.where(stay, next_d, du) - factor * first,
        jnp.where(stay, next_du, 0) - factor * second,
        jnp.where(stay, next_b, b) - factor * right,
    )
    return remaining, (pivot, first, second, right)
