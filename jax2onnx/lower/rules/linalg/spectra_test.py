"""Eigenvalues and singular values equal JAX's. Vectors, which are not unique, have small residuals.

The residuals are part of the converted functions. JAX's, which LAPACK computes, are almost zero.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.testing.linalg import DTYPES, adjoint, assert_close, random


def _is_unitary(q: Any) -> Any:
    return adjoint(q) @ q - jnp.eye(q.shape[-1], dtype=q.dtype)


def _eigh(a: Any, **options: Any) -> Any:
    v, w = lax.linalg.eigh(a, **options)
    return w, a @ v - v * w[..., None, :], _is_unitary(v)


def _svd(a: Any, full_matrices: bool = True) -> Any:
    u, s, v = jnp.linalg.svd(a, full_matrices=full_matrices)
    rank = s.shape[-1]
    product = (u[..., :rank] * s[..., None, :]) @ v[..., :rank, :]
    return s, product - a, _is_unitary(u), _is_unitary(adjoint(v))


def _eig(a: Any) -> Any:
    w, left, right = lax.linalg.eig(a)
    sizes = jnp.linalg.norm(left, axis=-2), jnp.linalg.norm(right, axis=-2)
    residuals = (
        a @ right - right * w[..., None, :],
        adjoint(left) @ a - w[..., None] * adjoint(left),
    )
    return jnp.sum(w, -1), jnp.prod(w, -1), *residuals, *sizes


def _schur(a: Any) -> Any:
    t, z = lax.linalg.schur(a)
    below = jnp.tril(t, -1 if jnp.iscomplexobj(a) else -2)
    return z @ t @ adjoint(z) - a, _is_unitary(z), below


def _hermitian(dtype: str, *shape: int) -> Any:
    a = random(dtype, *shape)
    return (a + adjoint(a)) / 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_eigh(dtype: str) -> None:
    assert_close(_eigh, _hermitian(dtype, 2, 2, 7, 7))


@pytest.mark.parametrize("size", [0, 1, 2])
def test_eigh_of_small_and_empty_matrices(size: int) -> None:
    assert_close(_eigh, _hermitian("complex64", size, size))


@pytest.mark.parametrize("lower", [False, True])
def test_eigh_reads_one_triangle(lower: bool) -> None:
    a = random("complex64", 4, 4)
    assert_close(lambda a: lax.linalg.eigh(a, lower=lower, symmetrize_input=False)[1], a)


@pytest.mark.parametrize(
    "a",
    [
        np.zeros((4, 4)),
        np.eye(5),
        np.ones((5, 5)),
        np.diag([1e-20, 1, 1e3]),
        np.full((3, 3), np.nan),
    ],
    ids=["zero", "identity", "rank one", "graded", "nan"],
)
@pytest.mark.parametrize("function", [_eigh, _svd])
def test_special_matrices(a: Any, function: Any) -> None:
    assert_close(function, a.astype("float64"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "full_matrices"), [((3, 6), True), ((2, 7, 4), False)])
def test_svd(dtype: str, shape: tuple[int, ...], full_matrices: bool) -> None:
    assert_close(lambda a: _svd(a, full_matrices), random(dtype, *shape) / 2)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1), (1, 4)])
def test_svd_of_small_and_empty_matrices(shape: tuple[int, ...]) -> None:
    assert_close(lambda a: jnp.linalg.svd(a, compute_uv=False), random("float32", *shape))


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 1, 1), (3, 1)])
@pytest.mark.parametrize("full_matrices", [False, True])
def test_vectors_of_a_column_have_the_signs_of_lapack(
    dtype: str, shape: tuple[int, ...], full_matrices: bool
) -> None:
    def vectors(a: Any) -> Any:
        u, _, v = jnp.linalg.svd(a, full_matrices=full_matrices)
        return u[..., 0], v

    x = random(dtype, *shape)
    assert_close(vectors, x)
    assert_close(vectors, -x)


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_svd_of_low_rank(dtype: str) -> None:
    assert_close(_svd, random(dtype, 7, 2) @ random(dtype, 2, 6) / 8)


@pytest.mark.parametrize("dtype", DTYPES)
def test_eig(dtype: str) -> None:
    assert_close(_eig, random(dtype, 2, 6, 6) / 6)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_eig_of_small_and_empty_matrices(size: int) -> None:
    assert_close(lambda a: lax.linalg.eig(a)[0], random("float32", size, size))


def test_a_block_with_equal_diagonal_elements_has_the_order_of_lapack() -> None:
    a = np.array([[1, 2], [8, 1]], np.float32)
    assert_close(lambda a: lax.linalg.eig(a)[0], a)
    assert_close(lambda a: lax.linalg.schur(a)[0].diagonal(), a)


def test_real_eigenvalues_of_a_real_matrix_are_real() -> None:
    a = np.diag([1.0, 2, 3]) + np.triu(np.ones((3, 3)), 1)
    assert_close(lambda a: [x.imag for x in lax.linalg.eig(a)], a.astype("float32"))


def test_roots() -> None:
    p = np.array([1, -6, 11, -6], "float32")
    assert_close(lambda p: jnp.sort(jnp.roots(p, strip_zeros=False).real) / 8, p)


@pytest.mark.parametrize("dtype", DTYPES)
def test_schur(dtype: str) -> None:
    assert_close(_schur, random(dtype, 8, 8) / 4)


@pytest.mark.parametrize(
    "a",
    [
        np.roll(np.eye(4), 1, 0),
        np.diag(np.ones(4), 1),
        np.array([[0.0, 1], [-1, 0]]),
        np.ones((3, 3)),
    ],
    ids=["cycle", "nilpotent", "turn", "rank one"],
)
def test_schur_of_special_matrices(a: Any) -> None:
    assert_close(_schur, a)


@pytest.mark.parametrize("dtype", DTYPES)
def test_hessenberg(dtype: str) -> None:
    assert_close(lax.linalg.hessenberg, random(dtype, 2, 5, 5))


@pytest.mark.parametrize(("dtype", "lower"), [(dtype, dtype.endswith("64")) for dtype in DTYPES])
def test_tridiagonal(dtype: str, lower: bool) -> None:
    assert_close(lambda a: lax.linalg.tridiagonal(a, lower=lower), _hermitian(dtype, 2, 5, 5))


@pytest.mark.parametrize("function", [_eigh, _svd, _eig])
def test_symbolic_batch(function: Any) -> None:
    assert_close(function, _hermitian("float32", 3, 4, 4), specs=[("B", 4, 4)])


@pytest.mark.parametrize("name", ["pinv", "matrix_rank", "cond"])
def test_functions_based_on_spectra(name: str) -> None:
    assert_close(getattr(jnp.linalg, name), random("float32", 4, 3))


def test_gradients() -> None:
    def loss(a: Any) -> Any:
        values, vectors = jnp.linalg.eigh(a)
        return (
            jnp.sum(values**2) + jnp.sum(jnp.linalg.svd(a, compute_uv=False)) + vectors[0, 0] ** 2
        )

    assert_close(jax.grad(loss), _hermitian("float32", 4, 4))
