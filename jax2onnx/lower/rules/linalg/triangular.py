"""Triangular systems by substitution, and systems that the user's own function solves."""

import jax.numpy as jnp
from jax import Array, lax
from jax.lax import linalg

from jax2onnx import jax_internals
from jax2onnx.lower.registry import in_jax, register_lowering
from jax2onnx.lower.rules.linalg.matrices import transpose
from jax2onnx.lower.rules.linalg.parts import State, diagonal, row_indices, rows_of
from jax2onnx.lower.rules.special import widened


def _substitute(a: Array, b: Array, *, lower: bool, unit_diagonal: bool = False) -> Array:
    """Solve a x = b row by row, from the first row on if ``a`` is lower triangular."""
    if 0 in b.shape[-2:]:
        return b
    pivots = jnp.ones_like(a[..., :1, :]) if unit_diagonal else diagonal(a)
    rest = jnp.tril(a, -1) if lower else jnp.triu(a, 1)
    position = row_indices(b)

    def step(x: Array, slices: State) -> tuple[Array, None]:
        i, coefficients, pivot, right = slices
        return jnp.where(position == i, (right - coefficients @ x) / pivot, x), None

    rows = (position[:, 0], rows_of(rest), rows_of(transpose(pivots)), rows_of(b))
    return lax.scan(step, jnp.zeros_like(b), rows, reverse=not lower)[0]


def _triangular_solve(
    a: Array,
    b: Array,
    *,
    left_side: bool,
    lower: bool,
    transpose_a: bool,
    conjugate_a: bool,
    unit_diagonal: bool,
) -> Array:
    """Solve op(a) x = b, or x op(a) = b, which is op(a)^T x^T = b^T."""
    if conjugate_a:
        a = jnp.conj(a)
    if transpose_a == left_side:
        a, lower = transpose(a), not lower
    if left_side:
        return _substitute(a, b, lower=lower, unit_diagonal=unit_diagonal)
    return transpose(_substitute(a, transpose(b), lower=lower, unit_diagonal=unit_diagonal))


register_lowering(linalg.triangular_solve_p)(in_jax(widened(_triangular_solve)))
register_lowering(lax.linear_solve_p)(in_jax(jax_internals.custom_linear_solve))
