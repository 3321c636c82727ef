"""Singular values by one-sided Jacobi rotations of a triangular factor.

Drmač and Veselić, "New fast and accurate Jacobi SVD algorithm" (2008), without its pivoting.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.lax import linalg

from jax2onnx import jax_internals
from jax2onnx.lower.registry import in_jax, register_lowering
from jax2onnx.lower.rules.linalg import jacobi
from jax2onnx.lower.rules.linalg.lu import take
from jax2onnx.lower.rules.linalg.matrices import adjoint, norm, squares, transpose
from jax2onnx.lower.rules.linalg.parts import State, column_indices, diagonal, row_indices
from jax2onnx.lower.rules.linalg.qr import geqrf, householder_product, multiply


@register_lowering(linalg.svd_p)
@in_jax
def _svd(
    a: Array,
    *,
    full_matrices: bool,
    compute_uv: bool,
    subset_by_index: tuple[int, int] | None = None,
    **_: object,
) -> Sequence[Array]:
    """Return the singular values, descending, and with ``compute_uv`` U and V^H of a = U S V^H.

    ``subset_by_index`` are the first singular value, and the one after the last.
    """
    height, width = a.shape[-2:]
    if 0 in (height, width):
        results: Sequence[Array] = jax_internals.empty_svd(
            a, full_matrices=full_matrices, compute_uv=compute_uv
        )
        return results
    first, last = subset_by_index or (0, min(height, width))
    if height < width:
        values, u, v = _tall(adjoint(a), full_matrices, compute_uv)
        u, v = v, u
    else:
        values, u, v = _tall(a, full_matrices, compute_uv)
        if width == 1 and compute_uv:  # LAPACK gives V = 1 for a column
            u, v = jnp.where(column_indices(u) == 0, u * jnp.conj(v), u), jnp.ones_like(v)
    values = values[..., first:last]
    if not compute_uv:
        return (values,)
    if not full_matrices:
        u, v = u[..., first:last], v[..., first:last]
    return values, u, adjoint(v)


def _tall(a: Array, full_matrices: bool, vectors: bool) -> tuple[Array, Array, Array]:
    """Return singular values, U and V of a matrix with no more columns than rows.

    With a = Q R and the rows of W R orthogonal, a = (Q W^H) S V^H for W R = S V^H. V is
    orthogonal to working precision, whatever the rank, since a QR decomposition makes it.
    """
    height, width = a.shape[-2:]
    a, scale = jacobi.scaled(a)
    packed, taus = geqrf(a)
    rows, turned = _orthogonalised(jnp.triu(packed[..., :width, :]))
    values = norm(transpose(rows))[..., 0, :]
    order = jnp.argsort(-values, axis=-1)
    values = take(values, order) * scale[..., 0]
    if not vectors:
        return values, a, a  # which the caller does not use
    columns, turned = (adjoint(take(x, order)) for x in (rows, turned))
    triangle, factors = geqrf(columns)
    signs = jnp.where(diagonal(triangle).real < 0, -1, 1).astype(a.dtype)
    v = householder_product(triangle, factors) * signs
    more = height - width
    u = jacobi.padded(turned, more, more if full_matrices else 0)
    if full_matrices:
        place = column_indices(u)
        u = jnp.where((row_indices(u) == place) & (place >= width), 1, u)
    return values, multiply(packed, taus, u), v


def _orthogonalised(x: Array) -> tuple[Array, Array]:
    """Return W x and W, for a unitary W that makes the rows of W x orthogonal; x is square."""
    size = x.shape[-1]
    odd = size % 2
    w = jnp.broadcast_to(jnp.eye(size + odd, dtype=x.dtype), (*x.shape[:-2], *[size + odd] * 2))
    tolerance = float(np.finfo(x.dtype).eps) * math.sqrt(size)

    def one_round(state: State) -> State:
        x, w, largest = state
        upper, lower = jacobi.halves(x)
        alpha, beta = (jnp.sum(squares(y), axis=-1, keepdims=True) for y in (upper, lower))
        gamma = jnp.sum(upper * jnp.conj(lower), axis=-1, keepdims=True)
        turn = jacobi.rotation(alpha, beta, gamma)
        cosine = jnp.sqrt(squares(gamma)) - tolerance * jnp.sqrt(alpha) * jnp.sqrt(beta)
        x, w = jacobi.rotate(x, *turn), jacobi.rotate(w, *turn)
        return x, w, jnp.maximum(largest, jnp.max(cosine))

    def one_sweep(state: State) -> State:
        x, w, _, sweeps = state
        none = jnp.zeros((), x.real.dtype)
        return *jacobi.sweep(one_round, (x, w, none), size + odd), sweeps + 1

    count: Any = 0
    start: State = (jacobi.padded(x, odd, 0), w, jnp.ones((), x.real.dtype), count)
    x, w, *_ = lax.while_loop(lambda s: (s[2] > 0) & (s[3] < jacobi.SWEEPS), one_sweep, start)
    return x[..., :size, :], w[..., :size, :size]
