"""Cholesky's decomposition, its update by a vector, and symmetric products."""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.lax import linalg

from jax2onnx import jax_internals
from jax2onnx.lower.registry import in_jax, register_lowering
from jax2onnx.lower.rules.linalg.matrices import adjoint
from jax2onnx.lower.rules.linalg.parts import column, diagonal, row, row_indices, with_column
from jax2onnx.lower.rules.special import widened


def cholesky(a: Array) -> Array:
    """Return the lower triangular L with a = L L^H, which is computed column by column.

    Only the lower triangle of ``a`` is read. L is NaN where ``a`` is not positive definite.
    """
    size = a.shape[-1]
    if size == 0:
        return a
    position = row_indices(a)

    def step(k: Array, factor: Array) -> Array:
        rest = column(a, k) - factor @ adjoint(row(factor, k))
        pivot = jnp.sqrt(row(rest, k).real)
        return with_column(factor, k, jnp.where(position >= k, rest / pivot, 0))

    factor = lax.fori_loop(0, size, step, jnp.zeros_like(a))
    positive = jnp.all(diagonal(factor).real > 0, axis=-1, keepdims=True)
    return jnp.where(positive, factor, np.nan)


def cholesky_update(r: Array, w: Array) -> Array:
    """Return the upper triangular R' with R'^T R' = R^T R + w w^T, by one rotation for each row."""

    def step(w: Array, slices: tuple[Array, ...]) -> tuple[Array, Array]:
        k, upper = slices
        x, y = (lax.dynamic_index_in_dim(v, k, 0, allow_negative_indices=False) for v in (upper, w))
        scale = jnp.where(y == 0, 1, jnp.maximum(abs(x), abs(y)))
        length = jnp.sqrt((x / scale) ** 2 + (y / scale) ** 2)
        cosine = jnp.where(y == 0, 1, x / scale / length)
        sine = jnp.where(y == 0, 0, y / scale / length)
        return cosine * w - sine * upper, cosine * upper + sine * w

    _, updated = lax.scan(step, w, (row_indices(r)[:, 0], r))
    return updated


register_lowering(linalg.cholesky_p)(in_jax(widened(cholesky)))
register_lowering(linalg.cholesky_update_p)(in_jax(widened(cholesky_update)))
register_lowering(linalg.symmetric_product_p)(in_jax(widened(jax_internals.symmetric_product)))
