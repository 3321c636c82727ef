"""What the decompositions share: parts of matrices, norms and reflectors.

A column is (..., m, 1), a row (..., 1, n) and a scalar (..., 1, 1).
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax


def row_indices(a: Any) -> Any:
    """0, 1, ... as a column as high as ``a``."""
    return lax.iota(np.int32, a.shape[-2])[:, None]


def column_indices(a: Any) -> Any:
    """0, 1, ... as a row as wide as ``a``."""
    return lax.iota(np.int32, a.shape[-1])


def column(a: Any, k: Any) -> Any:
    """Column k of matrices; k is computed."""
    return lax.dynamic_index_in_dim(a, k, a.ndim - 1, allow_negative_indices=False)


def row(a: Any, k: Any) -> Any:
    """Row k of matrices; k is computed."""
    return lax.dynamic_index_in_dim(a, k, a.ndim - 2, allow_negative_indices=False)


def with_column(a: Any, k: Any, x: Any) -> Any:
    """The matrices ``a`` with ``x`` as their column k."""
    return jnp.where(column_indices(a) == k, x, a)


def rows_of(a: Any) -> Any:
    """The rows of matrices along a new first axis, to be scanned over."""
    return jnp.moveaxis(a[..., None, :], -3, 0)


def diagonal(a: Any) -> Any:
    """The diagonals of square matrices, as rows."""
    on_it = row_indices(a) == column_indices(a)
    return jnp.sum(jnp.where(on_it, a, 0), axis=-2, keepdims=True)


def transpose(a: Any) -> Any:
    """The transpose of matrices."""
    return jnp.swapaxes(a, -1, -2)


def adjoint(a: Any) -> Any:
    """The conjugate transpose of matrices."""
    return jnp.conj(jnp.swapaxes(a, -1, -2))


def hermitian(a: Any, *, lower: bool) -> Any:
    """The Hermitian matrices that one triangle tells; the other one is not read."""
    strict = jnp.tril(a, -1) if lower else jnp.triu(a, 1)
    on_diagonal = row_indices(a) == column_indices(a)
    return jnp.where(on_diagonal, a.real, strict + adjoint(strict))


def squares(x: Any) -> Any:
    """|x|² of each element."""
    return x.real * x.real + x.imag * x.imag if jnp.iscomplexobj(x) else x * x


def magnitude(x: Any) -> Any:
    """The size of each element as LAPACK compares pivots: |re| + |im|."""
    return abs(x.real) + abs(x.imag) if jnp.iscomplexobj(x) else abs(x)


def norm(x: Any) -> Any:
    """The Euclidean norm of columns, scaled so that squares neither overflow nor vanish."""
    scale = jnp.max(magnitude(x), axis=-2, keepdims=True)
    safe = jnp.where(scale > 0, scale, 1)
    return safe * jnp.sqrt(jnp.sum(squares(x / safe), axis=-2, keepdims=True))


def reflector(x: Any, k: Any) -> tuple[Any, Any, Any]:
    """The Householder reflector that clears a column below row k (LAPACK's ``larfg``).

    Returns:
        beta, tau and v, with v[k] = 1 and zeros above: the adjoint of H = I - tau v v^H maps the
        part of x from k on to beta e_k. beta is real, its sign the opposite of x[k]'s.
    """
    position = row_indices(x)
    alpha, tail = row(x, k), jnp.where(position > k, x, 0)
    size = norm(jnp.where(position >= k, x, 0))
    trivial = (norm(tail) == 0) & (alpha.imag == 0)
    beta = jnp.where(alpha.real >= 0, -size, size)
    safe = jnp.where(trivial, 1, beta)
    tau = jnp.where(trivial, 0, (safe - alpha) / safe)
    scale = 1 / jnp.where(trivial, 1, alpha - safe)
    v = jnp.where(position == k, 1, tail * scale)
    return jnp.where(trivial, alpha.real, beta).astype(x.dtype), tau, v


def reflect(a: Any, tau: Any, v: Any) -> Any:
    """H a for the reflector H = I - tau v v^H."""
    return a - (tau * v) @ (adjoint(v) @ a)
