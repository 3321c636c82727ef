"""Eigenvalues of Hermitian matrices by Jacobi's method (Golub and Van Loan, section 8.5)."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.lax import linalg

from jax2onnx.lower.registry import in_jax, register_lowering
from jax2onnx.lower.rules.linalg import jacobi
from jax2onnx.lower.rules.linalg.lu import take
from jax2onnx.lower.rules.linalg.matrices import adjoint, hermitian, squares, transpose
from jax2onnx.lower.rules.linalg.parts import State, column_indices, diagonal, row_indices


@register_lowering(linalg.eigh_p)
@in_jax
def _eigh(
    a: Array, *, lower: bool, subset_by_index: tuple[int, int] | None, **_: object
) -> tuple[Array, Array]:
    """Return the eigenvectors of Hermitian matrices as columns, and the eigenvalues, ascending.

    One triangle is read. ``subset_by_index`` are the first eigenvalue, and the one after the last.
    """
    size = a.shape[-1]
    if size == 0:
        return a, a.real.reshape(a.shape[:-1])
    a, scale = jacobi.scaled(hermitian(a, lower=lower))
    odd = (size + 1) // 2 * 2 - size  # in this form JAX knows that size + odd is even
    rows, values = _jacobi(jacobi.padded(a, odd, odd))
    values = (values[..., :size] * scale)[..., 0, :]
    order = jnp.argsort(values, axis=-1)
    first, last = subset_by_index or (0, size)
    order = order[..., first:last]
    return adjoint(take(rows[..., :size, :size], order)), take(values, order)


def _jacobi(a: Array) -> tuple[Array, Array]:
    """Return the adjoint of the eigenvectors, and the eigenvalues as a row; the size is even."""
    size = a.shape[-1]
    half = size // 2
    off_diagonal = row_indices(a) != column_indices(a)

    def total(squared: Array) -> Array:
        return jnp.sum(squared, axis=(-2, -1), keepdims=True)

    least = np.finfo(a.dtype).eps ** 2 * total(squares(a))

    def unfinished(state: State) -> Array:
        a, _, sweeps = state
        rest = total(jnp.where(off_diagonal, squares(a), 0))
        return jnp.any(rest > least) & (sweeps < jacobi.SWEEPS)

    def one_round(state: State) -> State:
        a, vectors = state
        values = transpose(diagonal(a)).real
        coupling = transpose(diagonal(a[..., :half, half:]))
        alpha, beta = jacobi.halves(values)
        turn = jacobi.rotation(alpha, beta, coupling)
        return jacobi.rotate(adjoint(jacobi.rotate(a, *turn)), *turn), jacobi.rotate(vectors, *turn)

    def one_sweep(state: State) -> State:
        a, vectors, sweeps = state
        return *jacobi.sweep(one_round, (a, vectors), size), sweeps + 1

    vectors = jnp.broadcast_to(jnp.eye(size, dtype=a.dtype), a.shape)
    count: Any = 0
    start: State = (a, vectors, count)
    diagonalised, vectors, _ = lax.while_loop(unfinished, one_sweep, start)
    finite = jnp.isfinite(least)
    values = diagonal(diagonalised).real
    return jnp.where(finite, vectors, np.nan), jnp.where(finite, values, np.nan)
