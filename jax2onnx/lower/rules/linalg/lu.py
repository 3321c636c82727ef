"""LU decomposition with partial pivoting."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.lax import linalg

from jax2onnx.lower.registry import in_jax, register_lowering
from jax2onnx.lower.rules.linalg.matrices import magnitude
from jax2onnx.lower.rules.linalg.parts import column, column_indices, row, row_indices, with_column


def exchanged(position: Array, i: Array, k: Array) -> Array:
    """Return the indices ``position`` with i and k exchanged.

    Args:
        position: 0, 1, ... n - 1.
        i: an index, one for each matrix of a batch.
        k: an index.
    """
    return jnp.where(position == i, k, jnp.where(position == k, i, position))


def take(x: Array, order: Array) -> Array:
    """Return the rows of matrices, (..., m, n), in an order for each matrix, (..., m)."""

    def one(x: Array, order: Array) -> Array:
        return x.at[order].get(mode="promise_in_bounds", wrap_negative_indices=False)

    for _ in range(order.ndim - 1):
        one = jax.vmap(one)
    return one(x, order)


def lu(a: Array) -> tuple[Array, Array, Array]:
    """Return the LU decomposition with partial pivoting.

    It consists of L (below its unit diagonal) and U in one matrix, the pivots, and the rows' order.
    """
    *batch, height, width = a.shape
    position = lax.iota(np.int32, height)
    permutation = jnp.broadcast_to(position, (*batch, height))
    pivots = jnp.zeros((*batch, min(height, width)), np.int32)
    if 0 in (height, width):
        return a, pivots, permutation
    rows, columns = row_indices(a), column_indices(a)

    def step(k: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
        a, pivots, permutation = state
        candidates = jnp.where(rows >= k, magnitude(column(a, k)), -1)
        pivot = lax.argmax(candidates, a.ndim - 2, np.int32)
        order = exchanged(position, pivot, k)
        a, permutation = take(a, order), take(permutation, order)
        upper, left = row(a, k), column(a, k)
        diagonal = column(upper, k)
        factors = jnp.where((rows > k) & (diagonal != 0), left / diagonal, left)
        a = a - jnp.where(rows > k, factors, 0) * jnp.where(columns > k, upper, 0)
        return with_column(a, k, factors), with_column(pivots, k, pivot), permutation

    a, pivots, permutation = lax.fori_loop(0, pivots.shape[-1], step, (a, pivots, permutation))
    return a, pivots, permutation


def pivots_to_permutation(pivots: Array, *, permutation_size: int) -> Array:
    """Return the permutation of rows that a sequence of swaps makes."""
    position = lax.iota(np.int32, permutation_size)
    permutation = jnp.broadcast_to(position, (*pivots.shape[:-1], permutation_size))
    count = pivots.shape[-1]

    def step(permutation: Array, slices: tuple[Array, ...]) -> tuple[Array, None]:
        k, pivot = slices
        return take(permutation, exchanged(position, pivot, k)), None

    swaps = lax.iota(np.int32, count), jnp.moveaxis(pivots[..., None], -2, 0)
    return lax.scan(step, permutation, swaps)[0] if permutation_size else permutation


register_lowering(linalg.lu_p)(in_jax(lu))
register_lowering(linalg.lu_pivots_to_permutation_p)(in_jax(pivots_to_permutation))
