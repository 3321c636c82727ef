"""Linear systems of Lineax."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import lineax as lx
from jax import Array

from tests.coverage.example import f
from tests.zoo.model import Model, of


def _square(name: str, solver: Any, tags: Any = (), tolerance: float | None = None) -> Model:
    """Return the solution for a matrix that is diagonally dominant and symmetric."""

    def solve(a: Array, b: Array) -> Any:
        matrix = a @ a.T + 4 * jnp.eye(4)
        return lx.linear_solve(lx.MatrixLinearOperator(matrix, tags), b, solver).value

    return of(name, solve, f(4, 4), f(4), tolerance=tolerance)


def _least_squares(a: Array, b: Array) -> Any:
    return lx.linear_solve(lx.MatrixLinearOperator(a), b, lx.QR()).value


def _svd(a: Array, b: Array) -> Any:
    return lx.linear_solve(lx.MatrixLinearOperator(a), b, lx.SVD()).value


def _tridiagonal(d: Array, u: Array, b: Array) -> Any:
    operator = lx.TridiagonalLinearOperator(d, u, u)
    return lx.linear_solve(operator, b, lx.Tridiagonal()).value


def _diagonal(d: Array, b: Array) -> Any:
    return lx.linear_solve(lx.DiagonalLinearOperator(d), b, lx.Diagonal()).value


def _triangular(a: Array, b: Array) -> Any:
    matrix = jnp.tril(a) + 4 * jnp.eye(4)
    operator = lx.MatrixLinearOperator(matrix, lx.lower_triangular_tag)
    return lx.linear_solve(operator, b, lx.Triangular()).value


def _function(b: Array) -> Any:
    operator = lx.FunctionLinearOperator(
        lambda x: 3 * x + 0.1 * jnp.roll(x, 1) + 0.1 * jnp.roll(x, -1),
        jax.eval_shape(lambda: b),
        lx.positive_semidefinite_tag,
    )
    return lx.linear_solve(operator, b, lx.CG(1e-6, 1e-6)).value


MODELS = [
    _square("LU", lx.LU()),
    _square("Cholesky", lx.Cholesky(), lx.positive_semidefinite_tag),
    _square("conjugate gradients", lx.CG(1e-6, 1e-6), lx.positive_semidefinite_tag),
    _square("GMRES", lx.GMRES(1e-5, 1e-5)),
    _square("BiCGStab", lx.BiCGStab(1e-5, 1e-5)),
    _square("automatic", lx.AutoLinearSolver(well_posed=True)),
    of("QR, least squares", _least_squares, f(6, 3), f(6)),
    of("SVD, least squares", _svd, f(6, 3), f(6)),
    of("tridiagonal", _tridiagonal, f(5, low=3.0, high=4.0), f(4), f(5)),
    of("diagonal", _diagonal, f(5, low=1.0), f(5)),
    of("triangular", _triangular, f(4, 4), f(4)),
    of("function as operator", _function, f(5)),
]
