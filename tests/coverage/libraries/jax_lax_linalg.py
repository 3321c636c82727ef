"""Examples of ``jax.lax.linalg``. Factors are compared with JAX's only where they are unique."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.lax import linalg

from tests.coverage.example import Example, c, f, i, mapped, of
from tests.coverage.libraries.jax_numpy_linalg import positive

_BATCH = f(2, 4, 4)
_TALL = f(2, 5, 3)
_LOOSE = (2e-4, 1e-9)
Array = jax.Array


def _eig(x: Array) -> tuple[Array, Array]:
    w, v = linalg.eig(x, compute_left_eigenvectors=False)
    return jnp.sort(jnp.abs(w), axis=-1), (v * w[..., None, :]) @ jnp.linalg.inv(v)


def _eigh(x: Array) -> tuple[Array, Array]:
    v, w = linalg.eigh(positive(x))
    return w, (v * w[..., None, :]) @ jnp.swapaxes(v, -1, -2)


def _svd(x: Array) -> tuple[Array, Array]:
    u, s, v = linalg.svd(x, full_matrices=False)
    return (u * s[..., None, :]) @ v, s


def _schur(x: Array) -> Array:
    t, q = linalg.schur(x)
    return q @ t @ jnp.swapaxes(q, -1, -2)


def _hessenberg(x: Array) -> tuple[Array, Array]:
    packed, taus = linalg.hessenberg(x)
    return jnp.abs(jnp.triu(packed, -1)), taus.sum() * 0


def _reflections(x: Array) -> Array:
    packed, taus = jnp.linalg.qr(x, mode="raw")
    packed = jnp.swapaxes(packed, -1, -2)
    return linalg.householder_product(packed, taus) @ jnp.triu(packed[..., :3, :])


def _applied(x: Array) -> Array:
    packed, taus = jnp.linalg.qr(x, mode="raw")
    packed = jnp.swapaxes(packed, -1, -2)
    return jnp.abs(linalg.ormqr(packed, taus, x, left=True, transpose=True))


def _tridiagonal(x: Array) -> tuple[Array, Array]:
    _, diagonal, beside, _ = linalg.tridiagonal(positive(x))
    return diagonal, jnp.abs(beside)


EXAMPLES: list[Example] = [
    *of("cholesky", lambda x: linalg.cholesky(positive(x)), _BATCH, tolerance=_LOOSE),
    *of(
        "cholesky",
        lambda x: linalg.cholesky(positive(x)),
        c(2, 4, 4),
        variant="complex",
        tolerance=_LOOSE,
    ),
    *mapped(
        of(
            "cholesky_update",
            lambda x, w: linalg.cholesky_update(jnp.linalg.cholesky(positive(x), upper=True), w),
            f(4, 4),
            f(4),
            tolerance=_LOOSE,
        )
    ),
    *of("eig", _eig, _BATCH, tolerance=_LOOSE),
    *of("eigh", _eigh, _BATCH, tolerance=_LOOSE),
    *of("svd", _svd, _TALL, tolerance=_LOOSE),
    *of(
        "svd", lambda x: linalg.svd(x, compute_uv=False), _TALL, variant="values", tolerance=_LOOSE
    ),
    *mapped(of("hessenberg", _hessenberg, f(4, 4), tolerance=_LOOSE)),
    *of("householder_product", _reflections, _TALL, tolerance=_LOOSE),
    *of("ormqr", _applied, _TALL, tolerance=_LOOSE),
    *mapped(of("schur", _schur, f(4, 4), tolerance=_LOOSE)),
    *of("lu", linalg.lu, _BATCH, tolerance=_LOOSE),
    *of("lu", linalg.lu, c(2, 4, 4), tolerance=_LOOSE),
    *of(
        "lu_pivots_to_permutation",
        lambda p: linalg.lu_pivots_to_permutation(p + jnp.arange(3, dtype=p.dtype), 5),
        i(2, 3, high=2, dtype="int32"),
    ),
    *mapped(of("qdwh", lambda x: linalg.qdwh(positive(x))[:2], f(4, 4), tolerance=_LOOSE)),
    *of("qr", lambda x: jnp.matmul(*linalg.qr(x, full_matrices=False)), _TALL, tolerance=_LOOSE),
    *of(
        "symmetric_product",
        lambda x, y: linalg.symmetric_product(x, positive(y), alpha=2.0, beta=1.0),
        f(2, 4, 3),
        _BATCH,
    ),
    *mapped(of("tridiagonal", _tridiagonal, f(4, 4), tolerance=_LOOSE)),
    *of(
        "triangular_solve",
        lambda x, y: linalg.triangular_solve(
            jnp.tril(x) + 3 * jnp.eye(4, dtype=x.dtype), y, left_side=True, lower=True
        ),
        _BATCH,
        f(2, 4, 3),
        tolerance=_LOOSE,
    ),
    *of(
        "triangular_solve",
        lambda x, y: linalg.triangular_solve(x, y, transpose_a=True, unit_diagonal=True),
        _BATCH,
        f(2, 3, 4),
        variant="right,transposed,unit",
        tolerance=(2e-3, 1e-8),
    ),
    *of(
        "tridiagonal_solve",
        lambda lower, x, upper, y: linalg.tridiagonal_solve(lower, x + 4, upper, y),
        f(2, 5),
        f(2, 5),
        f(2, 5),
        f(2, 5, 1),
        tolerance=_LOOSE,
    ),
]
