"""QR decomposition by Householder's reflectors, packed as LAPACK packs them."""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.lax import linalg

from jax2onnx import jax_internals
from jax2onnx.lower.registry import in_jax, register_lowering
from jax2onnx.lower.rules.linalg.lu import exchanged, take
from jax2onnx.lower.rules.linalg.matrices import adjoint, norm, reflect, reflector, transpose
from jax2onnx.lower.rules.linalg.parts import (
    State,
    column,
    column_indices,
    row_indices,
    rows_of,
    with_column,
)


def _eliminate(a: Array, k: Array) -> tuple[Array, Array]:
    """Clear column k below the diagonal by a reflector, and store it there; return also its tau."""
    x, position = column(a, k), row_indices(a)
    beta, tau, v = reflector(x, k)
    packed = jnp.where(position < k, x, jnp.where(position == k, beta, v))
    rest = jnp.where(column_indices(a) > k, reflect(a, jnp.conj(tau), v), a)
    return with_column(rest, k, packed), tau


def geqrf(a: Array) -> tuple[Array, Array]:
    """Return the QR decomposition as LAPACK's ``geqrf`` packs it.

    R is in the upper triangle with the reflectors below it, (..., m, n); their factors tau follow,
    (..., min(m, n)).
    """
    *batch, height, width = a.shape
    taus = jnp.zeros((*batch, 1, min(height, width)), a.dtype)

    def step(k: Array, state: State) -> State:
        a, tau = _eliminate(state[0], k)
        return a, with_column(state[1], k, tau)

    if 0 not in (height, width):
        a, taus = lax.fori_loop(0, taus.shape[-1], step, (a, taus))
    return a, taus[..., 0, :]


@register_lowering(jax_internals.geqp3_p)
@in_jax
def _geqp3(a: Array, fixed: Array, **_: object) -> tuple[Array, Array, Array]:
    """Return the QR decomposition with column pivoting (LAPACK's ``geqp3``).

    A column that ``fixed``, (..., n), does not mark with zero stays in front. The results are those
    of ``geqrf``, with the columns' order between them, counted from one.
    """
    *batch, height, width = a.shape
    taus = jnp.zeros((*batch, 1, min(height, width)), a.dtype)
    position = lax.iota(np.int32, width)
    first = jnp.argsort(fixed == 0, axis=-1, stable=True).astype(np.int32)
    a, front = transpose(take(transpose(a), first)), take(fixed, first) != 0

    def step(k: Array, state: State) -> State:
        a, taus, order = state
        remaining = norm(jnp.where(row_indices(a) >= k, a, 0))[..., 0, :]
        fixed_now = front & (position == k)
        candidates = jnp.where(position >= k, jnp.where(fixed_now, np.inf, remaining), -1)
        swap = exchanged(position, lax.argmax(candidates, a.ndim - 2, np.int32)[..., None], k)
        a, tau = _eliminate(transpose(take(transpose(a), swap)), k)
        return a, with_column(taus, k, tau), take(order, swap)

    if 0 not in (height, width):
        a, taus, first = lax.fori_loop(0, taus.shape[-1], step, (a, taus, first))
    return a, (first + 1).astype(fixed.dtype), taus[..., 0, :]


@register_lowering(linalg.ormqr_p)
@in_jax
def _ormqr(a: Array, taus: Array, c: Array, *, left: bool, transpose: bool) -> Array:
    """Return the product of ``c`` and Q, which is given by reflectors (LAPACK's ``ormqr``)."""
    if left:
        return multiply(a, taus, c, transpose)
    return adjoint(multiply(a, taus, adjoint(c), not transpose))


def multiply(a: Array, taus: Array, c: Array, adjoined: bool = False) -> Array:
    """Return Q c, or Q^H c, one reflector after the other.

    Args:
        a: the reflectors, packed below the diagonal, (..., m, k).
        taus: their factors, (..., k).
        c: (..., m, n).
        adjoined: whether to take the adjoint of Q.
    """
    height, count = a.shape[-2], taus.shape[-1]
    if count == 0:
        return c
    reflectors = jnp.tril(a[..., :count], -1) + jnp.eye(height, count, dtype=a.dtype)
    factors = jnp.conj(taus) if adjoined else taus

    def step(c: Array, slices: State) -> tuple[Array, None]:
        tau, v = slices
        return reflect(c, tau, transpose(v)), None

    slices = rows_of(factors[..., None]), rows_of(transpose(reflectors))
    return lax.scan(step, c, slices, reverse=not adjoined)[0]


def householder_product(a: Array, taus: Array) -> Array:
    """Return the first columns of Q, as many as ``a`` has (LAPACK's ``orgqr``)."""
    height, width = a.shape[-2:]
    return multiply(a, taus, jnp.broadcast_to(jnp.eye(height, width, dtype=a.dtype), a.shape))


register_lowering(jax_internals.geqrf_p)(in_jax(geqrf))
register_lowering(linalg.householder_product_p)(in_jax(householder_product))
register_lowering(linalg.qr_p)(in_jax(jax_internals.qr))
