"""Examples of ``jax.scipy.linalg``. Factors are compared with JAX's only where unique."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy import linalg

from tests.coverage.example import Example, each, f, mapped, of
from tests.coverage.libraries.jax_numpy_linalg import positive

_SQUARE = f(4, 4)
_SMALL = f(4, 4, low=-0.5, high=0.5)
_LOOSE = (3e-4, 1e-9)
_FIXED = ("symbolic",)
Array = jax.Array


def _eigh(x: Array) -> tuple[Array, Array]:
    w, v = linalg.eigh(positive(x))
    return w, (v * w) @ v.T


def _svd(x: Array) -> tuple[Array, Array]:
    u, s, v = linalg.svd(x, full_matrices=False)
    return (u * s) @ v, s


def _schur(x: Array) -> Array:
    t, q = linalg.schur(x)
    return q @ t @ q.T


def _complex_schur(x: Array) -> Any:
    t, q = linalg.rsf2csf(*linalg.schur(x))
    return q @ t @ q.conj().T


def _hessenberg(x: Array) -> Array:
    h, q = linalg.hessenberg(x, calc_q=True)
    return q @ h @ q.T


EXAMPLES: list[Example] = mapped(
    [
        *each(linalg, "det inv polar", _SQUARE, tolerance=_LOOSE),
        *each(linalg, "lu lu_factor", _SQUARE, tolerance=_LOOSE),
        *each(linalg, "expm", _SMALL, tolerance=_LOOSE),
        *each(linalg, "expm_frechet", _SMALL, _SMALL, tolerance=_LOOSE),
        *of("cholesky", lambda x: linalg.cholesky(positive(x)), _SQUARE, tolerance=_LOOSE),
        *of(
            "cholesky",
            lambda x: linalg.cholesky(positive(x), lower=True),
            _SQUARE,
            variant="lower",
            tolerance=_LOOSE,
        ),
        *of(
            "cho_factor",
            lambda x: jnp.triu(linalg.cho_factor(positive(x))[0]),
            _SQUARE,
            tolerance=_LOOSE,
        ),
        *of(
            "cho_solve",
            lambda x, y: linalg.cho_solve(linalg.cho_factor(positive(x)), y),
            _SQUARE,
            f(4, 2),
            tolerance=_LOOSE,
        ),
        *of(
            "lu_solve",
            lambda x, y: linalg.lu_solve(linalg.lu_factor(x), y),
            _SQUARE,
            f(4, 2),
            tolerance=_LOOSE,
        ),
        *each(linalg, "solve", _SQUARE, f(4, 2), tolerance=_LOOSE),
        *of(
            "solve",
            lambda x, y: linalg.solve(positive(x), y, assume_a="pos"),
            _SQUARE,
            f(4, 2),
            variant="positive",
            tolerance=_LOOSE,
        ),
        *of(
            "solve_triangular",
            lambda x, y: linalg.solve_triangular(jnp.triu(x) + 3 * jnp.eye(4, dtype=x.dtype), y),
            _SQUARE,
            f(4, 2),
            tolerance=_LOOSE,
        ),
        *of(
            "solve_sylvester",
            lambda x, y, z: linalg.solve_sylvester(positive(x), positive(y), z),
            _SQUARE,
            _SQUARE,
            _SQUARE,
            tolerance=(2e-3, 1e-8),
        ),
        *of("eigh", _eigh, _SQUARE, tolerance=_LOOSE),
        *of(
            "eigh_tridiagonal",
            lambda d, e: linalg.eigh_tridiagonal(d, e, eigvals_only=True),
            f(5, fixed=True),
            f(4, fixed=True),
            tolerance=_LOOSE,
        ),
        *of("svd", _svd, f(5, 3), tolerance=_LOOSE),
        *of("qr", lambda x: jnp.matmul(*linalg.qr(x, mode="economic")), f(5, 3), tolerance=_LOOSE),
        *of(
            "qr_multiply",
            lambda x, y: jnp.abs(linalg.qr_multiply(x, y)[0]),
            f(5, 3),
            f(4, 5, fixed=True),
            tolerance=_LOOSE,
        ),
        *of("schur", _schur, _SQUARE, tolerance=_LOOSE),
        *of("rsf2csf", _complex_schur, _SQUARE, tolerance=_LOOSE),
        *of("hessenberg", _hessenberg, _SQUARE, tolerance=_LOOSE),
        *of(
            "funm", lambda x: linalg.funm(x, jnp.exp, disp=False)[0], _SMALL, tolerance=(2e-3, 1e-7)
        ),
        *of("sqrtm", lambda x: linalg.sqrtm(positive(x)), _SQUARE, tolerance=_LOOSE),
        *of("block_diag", linalg.block_diag, f(2, 3), f(4, 2)),
        *each(linalg, "circulant fiedler", f(4)),
        *each(linalg, "companion fiedler_companion", f(4, low=1, high=2)),
        *each(linalg, "convolution_matrix", f(4), variants=({"n": 3},)),
        *each(linalg, "toeplitz hankel", f(4)),
        *of("leslie", linalg.leslie, f(4), f(3)),
        *each(
            linalg, "dft hadamard helmert hilbert invhilbert pascal invpascal", variants=({"n": 4},)
        ),
    ]
)
