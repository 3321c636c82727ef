"""Hessenberg and tridiagonal form by Householder's reflectors, packed as LAPACK packs them."""

import jax.numpy as jnp
from jax import Array, lax
from jax.lax import linalg

from jax2onnx.lower.registry import in_jax, register_lowering
from jax2onnx.lower.rules.linalg.matrices import adjoint, hermitian, reflect, reflector
from jax2onnx.lower.rules.linalg.parts import (
    State,
    column,
    column_indices,
    diagonal,
    row_indices,
    with_column,
)


def hessenberg(a: Array) -> tuple[Array, Array]:
    """Return the Hessenberg form with the reflectors below it, and their taus (``gehrd``)."""
    size = a.shape[-1]
    taus = jnp.zeros((*a.shape[:-2], 1, max(size - 1, 0)), a.dtype)

    def step(k: Array, state: State) -> State:
        a, taus = state
        x, position = column(a, k), row_indices(a)
        beta, tau, v = reflector(x, k + 1)
        packed = jnp.where(position <= k, x, jnp.where(position == k + 1, beta, v))
        a = a - (a @ v) @ adjoint(jnp.conj(tau) * v)
        a = jnp.where(column_indices(a) > k, reflect(a, jnp.conj(tau), v), a)
        return with_column(a, k, packed), with_column(taus, k, tau)

    if size > 1:
        a, taus = lax.fori_loop(0, size - 1, step, (a, taus))
    return a, taus[..., 0, :]


def tridiagonal(a: Array, *, lower: bool) -> tuple[Array, Array, Array, Array]:
    """Return the tridiagonal form of Hermitian matrices, of which one triangle is read (``sytrd``).

    It consists of the packed matrix, its diagonal, its off-diagonal, and the reflectors' taus.
    """
    if not lower:  # the same, from the other end
        packed, *vectors = tridiagonal(jnp.flip(a, (-2, -1)), lower=True)
        d, e, taus = (jnp.flip(x, -1) for x in vectors)
        return jnp.flip(packed, (-2, -1)), d, e, taus
    packed, taus = hessenberg(hermitian(a, lower=True))
    d, e = diagonal(packed), diagonal(packed[..., 1:, :-1])
    untouched = row_indices(a) < column_indices(a)
    return jnp.where(untouched, a, packed), d[..., 0, :].real, e[..., 0, :].real, taus


register_lowering(linalg.hessenberg_p)(in_jax(hessenberg))
register_lowering(linalg.tridiagonal_p)(in_jax(tridiagonal))
