"""Eigenvalues and eigenvectors of any square matrix, from Schur's form."""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.lax import linalg

from jax2onnx.lower.registry import in_jax, register_lowering
from jax2onnx.lower.rules.linalg.matrices import magnitude, norm, squares, transpose
from jax2onnx.lower.rules.linalg.parts import State, column_indices, diagonal, row_indices, rows_of
from jax2onnx.lower.rules.linalg.schur import schur_form, similarity, subdiagonal


@register_lowering(linalg.eig_p)
@in_jax
def _eig(
    a: Array, *, compute_left_eigenvectors: bool, compute_right_eigenvectors: bool, **_: object
) -> list[Array]:
    """Return the eigenvalues, (..., n), then left and right eigenvectors as columns, if wanted.

    The vectors have norm 1 and a real largest element. Those of a real matrix are exactly real, or
    exact conjugates.
    """
    real = not jnp.iscomplexobj(a)
    if a.shape[-1] == 0:
        empty = a.astype(jnp.result_type(a.dtype, jnp.complex64))
        count = compute_left_eigenvectors + compute_right_eigenvectors
        return [empty.reshape(a.shape[:-1]), *[empty] * count]
    t, z = schur_form(a)
    values = diagonal(t) + _imaginary(t)
    results = [values[..., 0, :]]
    if real:
        t, z = _complex_form(t, z, values)
    if compute_left_eigenvectors:
        mirrored = jnp.flip(transpose(t), (-2, -1))
        vectors = jnp.flip(_of_triangular(mirrored, jnp.flip(values, -1)), (-2, -1))
        results.append(_normalised(z @ jnp.conj(vectors), values, real))
    if compute_right_eigenvectors:
        results.append(_normalised(z @ _of_triangular(t, values), values, real))
    return results


def _imaginary(t: Array) -> Array:
    """Return i times the imaginary parts of the eigenvalues of a real Schur form, as a row."""
    if jnp.iscomplexobj(t):
        return jnp.zeros_like(t[..., :1, :])
    below, above = subdiagonal(t), subdiagonal(transpose(t))
    part = jnp.sqrt(abs(below)) * jnp.sqrt(abs(above))
    part = jnp.where(below == 0, 0, part)
    part = part - jnp.where(column_indices(t) == 0, 0, jnp.roll(part, 1, -1))
    return lax.complex(jnp.zeros_like(part), part)


def _complex_form(t: Array, z: Array, values: Array) -> tuple[Array, Array]:
    """Return the triangular form of a real Schur form, whose blocks of two rows are made so."""
    above, coupled = subdiagonal(transpose(t)), subdiagonal(t) != 0
    t, z = (lax.complex(x, jnp.zeros_like(x)) for x in (t, z))
    first = jnp.where(coupled, above, 0).astype(t.dtype)
    second = jnp.where(coupled, lax.complex(jnp.zeros_like(values.imag), values.imag), 0)

    def step(k: Array, state: State) -> State:
        x = jnp.concatenate([first, second], axis=-2)
        t, z = state
        return similarity(t, z, k, lax.dynamic_slice_in_dim(x, k, 1, x.ndim - 1))

    if t.shape[-1] > 1:
        t, z = lax.fori_loop(0, t.shape[-1] - 1, step, (t, z))
    return t, z


def _of_triangular(t: Array, values: Array) -> Array:
    """Return the eigenvectors of upper triangular matrices, all at once from the last row up."""
    rows, columns = row_indices(t), column_indices(t)
    info = np.finfo(t.dtype)
    whole = jnp.max(magnitude(t), axis=(-2, -1), keepdims=True)
    least = jnp.maximum(info.eps * whole, info.tiny / info.eps)
    large = 1 / np.sqrt(info.eps)

    def step(x: Array, slices: State) -> tuple[Array, None]:
        i, coefficients, pivot = slices
        gap = pivot - values
        gap = jnp.where(magnitude(gap) < least, least, gap)
        new = jnp.where(columns > i, -(coefficients @ x) / gap, jnp.where(columns == i, 1, 0))
        grown = magnitude(new)
        return jnp.where(rows == i, new, x) / jnp.where(grown > large, grown, 1), None

    slices = rows[:, 0], rows_of(jnp.triu(t, 1)), rows_of(transpose(values))
    return lax.scan(step, jnp.zeros_like(t), slices, reverse=True)[0]


def _normalised(vectors: Array, values: Array, real: bool) -> Array:
    """Return columns scaled to norm 1, with a real and positive largest element."""
    sizes = jnp.sqrt(squares(vectors))
    largest = jnp.max(sizes, axis=-2, keepdims=True)
    place = jnp.min(
        jnp.where(sizes == largest, row_indices(sizes), sizes.shape[-2]), axis=-2, keepdims=True
    )
    element = jnp.sum(jnp.where(row_indices(sizes) == place, vectors, 0), -2, keepdims=True)
    vectors = vectors * (jnp.conj(element) / (largest * norm(vectors)))
    if not real:
        return vectors
    vectors = jnp.where(values.imag == 0, vectors.real, vectors)
    return jnp.where(values.imag < 0, jnp.conj(jnp.roll(vectors, 1, -1)), vectors)
