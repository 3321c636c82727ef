"""Rows, columns and diagonals of matrices, by computed indices.

Arrays are batches of matrices, (..., m, n). A column is (..., m, 1), and a row (..., 1, n).
"""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

State = tuple[Array, ...]
"""The arrays that a loop carries."""


def row_indices(a: Array) -> Array:
    """Return 0, 1, ... m - 1 as an int32 column, (m, 1), for ``a`` of shape (..., m, n)."""
    return lax.iota(np.int32, a.shape[-2])[:, None]


def column_indices(a: Array) -> Array:
    """Return 0, 1, ... n - 1 as an int32 row, (n,), for ``a`` of shape (..., m, n)."""
    return lax.iota(np.int32, a.shape[-1])


def column(a: Array, k: Array | int) -> Array:
    """Return column k of matrices; k is computed."""
    found: Array = lax.dynamic_index_in_dim(a, k, a.ndim - 1, allow_negative_indices=False)
    return found


def row(a: Array, k: Array | int) -> Array:
    """Return row k of matrices; k is computed."""
    found: Array = lax.dynamic_index_in_dim(a, k, a.ndim - 2, allow_negative_indices=False)
    return found


def with_column(a: Array, k: Array, x: Array) -> Array:
    """Return matrices with another column.

    Args:
        a: (..., m, n).
        k: the number of the column, which is computed.
        x: the new column, (..., m, 1).
    """
    return jnp.where(column_indices(a) == k, x, a)


def rows_of(a: Array) -> Array:
    """Return the rows of matrices along a new first axis, to scan over: (m, ..., 1, n)."""
    return jnp.moveaxis(a[..., None, :], -3, 0)


def diagonal(a: Array) -> Array:
    """Return the diagonals of square matrices, as rows."""
    on_it = row_indices(a) == column_indices(a)
    return jnp.sum(jnp.where(on_it, a, 0), axis=-2, keepdims=True)
