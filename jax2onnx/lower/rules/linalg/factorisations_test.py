"""Cholesky, LU, QR and solutions of systems are unique, and equal JAX's."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.testing.agreement import assert_agrees, operators
from jax2onnx.testing.linalg import DTYPES, assert_close, positive, random

REAL_AND_COMPLEX = ["float32", "complex128"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_cholesky(dtype: str) -> None:
    assert_close(lax.linalg.cholesky, positive(dtype, 2, 5, 5))


@pytest.mark.parametrize("size", [0, 1, 12])
def test_cholesky_of_any_size(size: int) -> None:
    assert_close(lax.linalg.cholesky, positive("float32", size, size))


def test_cholesky_reads_one_triangle() -> None:
    a = np.tril(positive("float32", 4, 4)) + np.triu(np.full((4, 4), np.nan, "float32"), 1)
    assert_close(lambda a: lax.linalg.cholesky(a, symmetrize_input=False), a)


def test_cholesky_of_a_matrix_that_is_not_positive_definite_is_nan() -> None:
    a = np.stack([np.diag([1.0, -1, 1]), np.diag([1.0, 0, 1]), np.eye(3)]).astype("float32")
    assert_close(lax.linalg.cholesky, a)


def test_cholesky_update() -> None:
    r = np.linalg.cholesky(positive("float32", 5, 5)).T
    w = np.array([1, 0, -3, 1e-3, 2], "float32")
    assert_close(lax.linalg.cholesky_update, r.copy(), w)


def test_symmetric_product() -> None:
    a, c = random("float32", 2, 3, 4), positive("float32", 2, 3, 3)
    assert_close(lambda a, c: lax.linalg.symmetric_product(a, c, alpha=2.0, beta=-1.0), a, c)


FLAGS = list(itertools.product([False, True], repeat=3))


@pytest.mark.parametrize(("left_side", "lower", "transpose_a"), FLAGS)
@pytest.mark.parametrize("other", [False, True])
def test_triangular_solve(left_side: bool, lower: bool, transpose_a: bool, other: bool) -> None:
    a = random("complex64", 2, 4, 4) + 4 * np.eye(4, dtype="complex64")
    b = random("complex64", 2, *((4, 3) if left_side else (3, 4)))

    def solve(a: Any, b: Any) -> Any:
        return lax.linalg.triangular_solve(
            a,
            b,
            left_side=left_side,
            lower=lower,
            transpose_a=transpose_a,
            conjugate_a=other,
            unit_diagonal=other,
        )

    assert_close(solve, a / 4, b)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 2e-3), ("bfloat16", 2e-2)])
def test_triangular_solve_in_half_precision(dtype: str, tolerance: float) -> None:
    a, b = (jnp.asarray(x, dtype) for x in (positive("float32", 3, 3), np.ones((3, 1))))
    assert_agrees(lax.linalg.triangular_solve, a, b.T, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", REAL_AND_COMPLEX)
@pytest.mark.parametrize("shape", [(2, 5, 5), (3, 5), (5, 3)])
def test_lu(dtype: str, shape: tuple[int, ...]) -> None:
    assert_close(lax.linalg.lu, random(dtype, *shape))


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1), (2, 0, 4, 4)])
def test_lu_of_small_and_empty_matrices(shape: tuple[int, ...]) -> None:
    assert_close(lax.linalg.lu, random("float32", *shape))


def test_lu_continues_after_a_zero_pivot() -> None:
    a = np.array([[0, 1, 2], [0, 3, 4], [0, 5, 6]], "float32")
    assert_close(lax.linalg.lu, a)


@pytest.mark.parametrize("size", [3, 6])
def test_pivots_to_permutation(size: int) -> None:
    pivots = np.array([[2, 1, 2], [0, 2, 2]], "int32")
    assert_close(lambda p: lax.linalg.lu_pivots_to_permutation(p, size), pivots)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "full_matrices"), [((3, 5), False), ((2, 5, 3), True)])
def test_qr(dtype: str, shape: tuple[int, ...], full_matrices: bool) -> None:
    assert_close(lambda a: lax.linalg.qr(a, full_matrices=full_matrices), random(dtype, *shape))


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1)])
def test_qr_of_small_and_empty_matrices(shape: tuple[int, ...]) -> None:
    assert_close(lax.linalg.qr, random("complex64", *shape))


@pytest.mark.parametrize("scale", [0, 1e-30, 1e30])
def test_qr_neither_overflows_nor_underflows(scale: float) -> None:
    def triangle(a: Any) -> Any:
        return lax.linalg.qr(a)[1] / max(scale, 1e-30)

    assert_close(triangle, random("float32", 4, 3) * np.float32(scale))


@pytest.mark.parametrize("dtype", REAL_AND_COMPLEX)
def test_qr_with_pivoting(dtype: str) -> None:
    assert_close(lambda a: lax.linalg.qr(a, pivoting=True), random(dtype, 2, 4, 5))


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("transpose", [False, True])
def test_ormqr(left: bool, transpose: bool) -> None:
    a, c = random("complex64", 4, 3), random("complex64", 4, 4)

    def product(a: Any, c: Any) -> Any:
        reflectors, taus = jnp.linalg.qr(a, mode="raw")
        return lax.linalg.ormqr(reflectors.mT, taus, c, left=left, transpose=transpose)

    assert_close(product, a, c)


@pytest.mark.parametrize("dtype", DTYPES)
def test_tridiagonal_solve(dtype: str) -> None:
    # With these factors, rows are swapped.
    low, middle, high = (random(dtype, 2, 6) * x for x in (1, 0.1, 2))
    assert_close(lax.linalg.tridiagonal_solve, low, middle, high, random(dtype, 2, 6, 3))


def test_tridiagonal_solve_of_a_singular_matrix_is_nan() -> None:
    zero, middle = jnp.zeros(3), jnp.array([0.0, 1, 1])
    assert_close(
        lambda b: lax.linalg.tridiagonal_solve(zero, middle, zero, b), np.ones((3, 1), "float32")
    )


@pytest.mark.parametrize("dtype", REAL_AND_COMPLEX)
def test_solve(dtype: str) -> None:
    assert_close(jnp.linalg.solve, random(dtype, 2, 4, 4), random(dtype, 2, 4, 3))


def test_a_custom_solver() -> None:
    a, b = positive("float32", 3, 3) / 8, random("float32", 3)

    def solve(a: Any, b: Any) -> Any:
        return jax.scipy.sparse.linalg.cg(lambda x: a @ x, b, tol=1e-7)[0]

    assert_agrees(solve, a, b, rtol=1e-4)


def test_gradients() -> None:
    def loss(a: Any) -> Any:
        return jnp.sum(jnp.linalg.cholesky(a)) + jnp.linalg.slogdet(a)[1]

    assert_close(jax.grad(loss), positive("float32", 4, 4))


@pytest.mark.parametrize("name", ["cholesky", "inv", "slogdet", "qr"])
def test_symbolic_batch(name: str) -> None:
    assert_close(getattr(jnp.linalg, name), positive("float32", 3, 4, 4), specs=[("B", 4, 4)])


@pytest.mark.parametrize("function", [lax.linalg.cholesky, lax.linalg.lu, lax.linalg.qr])
def test_graphs_do_not_grow_with_the_matrix(function: Any) -> None:
    small, large = (assert_agrees(function, positive("float32", n, n), atol=1e-3) for n in (4, 40))
    assert operators(small) == operators(large)
