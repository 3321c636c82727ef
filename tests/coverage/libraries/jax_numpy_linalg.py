"""Examples of ``jax.numpy.linalg``. Factors are compared with JAX's only where unique."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.numpy import linalg

from tests.coverage.example import Example, c, each, f, of

_BATCH = f(2, 4, 4)
_TALL = f(2, 5, 3)
_LOOSE = (2e-4, 1e-9)
Array = jax.Array


def positive(x: Array) -> Array:
    """Return a positive definite matrix that is made from ``x``."""
    return x @ jnp.swapaxes(x.conj(), -1, -2) + 2 * jnp.eye(x.shape[-1], dtype=x.dtype)


def _product(x: Array, *factors: Any) -> tuple[Array, ...]:
    """Return the product of factors, which are unique only up to signs, and ``x``."""
    whole = factors[0]
    for factor in factors[1:]:
        whole = whole @ factor
    return whole, x


def _svd(x: Array) -> tuple[Array, Array]:
    u, s, v = linalg.svd(x, full_matrices=False)
    return (u * s[..., None, :]) @ v, s


def _eigh(x: Array) -> tuple[Array, Array]:
    w, v = linalg.eigh(positive(x))
    return w, (v * w[..., None, :]) @ jnp.swapaxes(v, -1, -2)


def _eig(x: Array) -> tuple[Array, Array]:
    w, v = linalg.eig(x)
    return jnp.sort(jnp.abs(w), axis=-1), (v * w[..., None, :]) @ linalg.inv(v)


EXAMPLES: list[Example] = [
    *each(linalg, "det slogdet inv pinv matrix_transpose diagonal trace", _BATCH, tolerance=_LOOSE),
    *each(linalg, "det slogdet inv", c(2, 4, 4), tolerance=_LOOSE),
    *of("cholesky", lambda x: linalg.cholesky(positive(x)), _BATCH, tolerance=_LOOSE),
    *of(
        "cholesky",
        lambda x: linalg.cholesky(positive(x), upper=True),
        _BATCH,
        variant="upper",
        tolerance=_LOOSE,
    ),
    *of("cond", linalg.cond, _BATCH, tolerance=(2e-3, 1e-8)),
    *of("cond", lambda x: linalg.cond(x, 1), _BATCH, variant="1", tolerance=_LOOSE),
    *of("eig", _eig, _BATCH, tolerance=_LOOSE),
    *of("eigh", _eigh, _BATCH, tolerance=_LOOSE),
    *of(
        "eigvals", lambda x: jnp.sort(jnp.abs(linalg.eigvals(x)), axis=-1), _BATCH, tolerance=_LOOSE
    ),
    *of("eigvalsh", lambda x: linalg.eigvalsh(positive(x)), _BATCH, tolerance=_LOOSE),
    *of("qr", lambda x: _product(x, *linalg.qr(x)), _TALL, tolerance=_LOOSE),
    *of("qr", lambda x: jnp.abs(linalg.qr(x, mode="r")), _TALL, variant="r", tolerance=_LOOSE),
    *of(
        "qr",
        lambda x: _product(x, *linalg.qr(x, mode="complete")),
        _TALL,
        variant="complete",
        tolerance=_LOOSE,
    ),
    *of("svd", _svd, _TALL, tolerance=_LOOSE),
    *of(
        "svd", lambda x: linalg.svd(x, compute_uv=False), _TALL, variant="values", tolerance=_LOOSE
    ),
    *each(linalg, "svdvals", _TALL, tolerance=_LOOSE),
    *of("solve", linalg.solve, _BATCH, f(2, 4, 3), tolerance=_LOOSE),
    *of("lstsq", lambda x, y: linalg.lstsq(x, y)[0], f(5, 3), f(5, 2), tolerance=_LOOSE),
    *of("matrix_rank", linalg.matrix_rank, _TALL),
    *each(
        linalg,
        "matrix_power",
        _BATCH,
        variants=({"n": 3}, {"n": 0}, {"n": -2}),
        tolerance=(2e-3, 1e-8),
    ),
    *each(
        linalg,
        "matrix_norm",
        _BATCH,
        variants=({}, {"ord": 1}, {"ord": "nuc"}, {"ord": 2}),
        tolerance=_LOOSE,
    ),
    *each(
        linalg,
        "norm",
        _BATCH,
        variants=({"ord": "fro", "axis": (1, 2)}, {"ord": "nuc", "axis": (1, 2)}),
        tolerance=_LOOSE,
    ),
    *of("norm", linalg.norm, _BATCH, variant="cube"),
    *each(
        linalg,
        "norm",
        f(3, 4),
        variants=(
            {},
            {"axis": 1},
            {"ord": 1, "axis": 1},
            {"ord": jnp.inf, "axis": 1},
            {"ord": 3, "axis": 1, "keepdims": True},
            {"ord": 0, "axis": 1},
        ),
        tolerance=_LOOSE,
    ),
    *each(linalg, "vector_norm", f(3, 4), variants=({}, {"axis": 1}, {"ord": 1, "axis": 1})),
    *of("pinv", linalg.pinv, _TALL, variant="tall", tolerance=_LOOSE),
    *each(linalg, "matmul", _BATCH, f(2, 4, 5)),
    *each(linalg, "vecdot", f(3, 4), f(3, 4)),
    *each(linalg, "outer", f(3), f(4)),
    *each(linalg, "tensordot", f(3, 4), f(3, 4)),
    *each(linalg, "cross", f(5, 3), f(5, 3)),
    *of("multi_dot", lambda x, y, z: linalg.multi_dot([x, y, z]), f(3, 4), f(4, 5), f(5, 2)),
    *each(linalg, "diagonal trace", _BATCH, variants=({"offset": 1},)),
    *each(
        linalg,
        "tensorinv",
        f(4, 2, 2),
        variants=({"ind": 1},),
        tolerance=_LOOSE,
        skip=("symbolic",),
    ),
    *of("tensorsolve", linalg.tensorsolve, f(4, 2, 2), f(4), tolerance=_LOOSE, skip=("symbolic",)),
]
