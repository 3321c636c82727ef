"""Adjoints, norms and reflectors, which the decompositions share.

All functions work on batches of matrices, (..., m, n). A column is (..., m, 1), a row (..., 1, n)
and a scalar (..., 1, 1).
"""

import jax.numpy as jnp
from jax import Array

from jax2onnx.lower.rules.linalg.parts import column_indices, row, row_indices


def transpose(a: Array) -> Array:
    """Return the transpose of matrices."""
    return jnp.swapaxes(a, -1, -2)


def adjoint(a: Array) -> Array:
    """Return the conjugate transpose of matrices."""
    return jnp.conj(jnp.swapaxes(a, -1, -2))


def hermitian(a: Array, *, lower: bool) -> Array:
    """Return the Hermitian matrices with the lower (or upper) triangle of ``a``."""
    strict = jnp.tril(a, -1) if lower else jnp.triu(a, 1)
    on_diagonal = row_indices(a) == column_indices(a)
    return jnp.where(on_diagonal, a.real, strict + adjoint(strict))


def squares(x: Array) -> Array:
    """Return |x|² of each element."""
    return x.real * x.real + x.imag * x.imag if jnp.iscomplexobj(x) else x * x


def magnitude(x: Array) -> Array:
    """Return the size of each element as LAPACK compares pivots: |re| + |im|."""
    return abs(x.real) + abs(x.imag) if jnp.iscomplexobj(x) else abs(x)


def norm(x: Array) -> Array:
    """Return the Euclidean norm of columns, scaled so that squares neither overflow nor vanish."""
    scale = jnp.max(magnitude(x), axis=-2, keepdims=True)
    safe = jnp.where(scale > 0, scale, 1)
    return safe * jnp.sqrt(jnp.sum(squares(x / safe), axis=-2, keepdims=True))


def reflector(x: Array, k: Array | int) -> tuple[Array, Array, Array]:
    """Return the Householder reflector that clears a column x below row k (LAPACK's ``larfg``).

    It consists of beta, tau and v, with v[k] = 1 and zeros above: the adjoint of H = I - tau v v^H
    maps the part of x from k on to beta e_k. beta is real, its sign the opposite of x[k]'s.
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


def reflect(a: Array, tau: Array, v: Array) -> Array:
    """Return H a for the reflector H = I - tau v v^H.

    Args:
        a: (..., m, n).
        tau: the reflector's factor, a scalar.
        v: its vector, a column.
    """
    return a - (tau * v) @ (adjoint(v) @ a)
