"""DINOv3's rotary position embedding, which turns pairs of elements of each patch token.

A patch's centre has coordinates (y, x) in [-1, 1]; an element pair turns by 2 pi theta^(-4i/d)
times one of them, i = 0 ... d/4 - 1: the first d/4 pairs of a head by y, the others by x. Class and
register tokens have no position and are not turned.

For an image size known at export the cosines and sines are constants of the artifact, which must
not depend on the machine that builds it. The sines of libm, numpy and XLA differ in the last bit
from one CPU to the next; decimal arithmetic does not, and is rounded once, at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Context, Decimal, localcontext
from functools import lru_cache

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

_PI = Decimal("3.14159265358979323846264338327950288419716939937511")
_CONTEXT = Context(prec=40)

Table = npt.NDArray[np.float32]


def frequencies(theta: float, head_size: int) -> list[Decimal]:
    """Return by how many radians each of the d/4 pairs of an axis turns at the coordinate 1."""
    with localcontext(_CONTEXT):
        log_theta = Decimal(theta).ln()
        return [2 * _PI * (-log_theta * 4 * i / head_size).exp() for i in range(head_size // 4)]


@lru_cache(maxsize=8)
def tables(
    rows: int, columns: int, prefix: int, theta: float, head_size: int
) -> tuple[Table, Table]:
    """Return cosine and sine for every token, each f32 (prefix + rows * columns, d/2).

    Args:
        rows: the number of rows of patches.
        columns: the number of patches in a row.
        prefix: the number of tokens before the patches, which are not turned.
        theta: the base of the frequencies.
        head_size: the number d of elements of an attention head.
    """
    by_row = _turns(rows, theta, head_size)
    by_column = by_row if columns == rows else _turns(columns, theta, head_size)
    unturned = np.tile(np.array([[[1.0]], [[0.0]]], np.float32), (1, prefix, head_size // 2))
    patches = np.concatenate(
        [
            np.broadcast_to(by_row[:, :, None], (2, rows, columns, head_size // 4)),
            np.broadcast_to(by_column[:, None], (2, rows, columns, head_size // 4)),
        ],
        axis=-1,
    ).reshape(2, rows * columns, head_size // 2)
    cos, sin = np.concatenate([unturned, patches], axis=1)
    return cos, sin


def dynamic_tables(
    rows: int, columns: int, prefix: int, theta: float, head_size: int
) -> tuple[Array, Array]:
    """Return what ``tables`` returns, for symbolic rows and columns.

    The arguments are those of ``tables``. The values are computed when the model runs.
    """
    frequency = np.array([float(f) for f in frequencies(theta, head_size)], np.float32)
    grid = (rows, columns, head_size // 4)
    by_row = _centres(rows)[:, None] * frequency
    by_column = _centres(columns)[:, None] * frequency
    angle = jnp.concatenate(
        [jnp.broadcast_to(by_row[:, None], grid), jnp.broadcast_to(by_column[None], grid)], axis=-1
    ).reshape(rows * columns, head_size // 2)
    angle = jnp.concatenate([jnp.zeros((prefix, head_size // 2), jnp.float32), angle])
    return jnp.cos(angle), jnp.sin(angle)


def rotate(x: Array, cos: Array | Table, sin: Array | Table) -> Array:
    """Turn the element pairs (i, i + d/2) of x (..., tokens, d) by tables (tokens, d/2)."""
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def _centres(count: int) -> Array:
    """Return the coordinates of ``count`` patch centres on an axis from -1 to 1."""
    return (2 * jnp.arange(count).astype(jnp.float32) + 1) / count - 1


def _turns(count: int, theta: float, head_size: int) -> Table:
    """Return cosine and sine of an axis with ``count`` patches, f32 (2, count, d/4)."""
    by_pair = frequencies(theta, head_size)
    with localcontext(_CONTEXT):
        angles = [Decimal(2 * n + 1 - count) / count * f for n in range(count) for f in by_pair]
        turns = [[float(function(angle)) for angle in angles] for function in (_cosine, _sine)]
    return np.array(turns, np.float32).reshape(2, count, head_size // 4)


def _cosine(x: Decimal) -> Decimal:
    return _sum_of(_taylor(x, Decimal(1), 0))


def _sine(x: Decimal) -> Decimal:
    return _sum_of(_taylor(x, x, 1))


def _taylor(x: Decimal, term: Decimal, order: int) -> Iterator[Decimal]:
    """Yield the terms of the series of cosine (1, order 0) or sine (x, order 1) about 0.

    For |x| <= 2 pi no term exceeds 86, so 40 digits leave more than 37 correct.
    """
    while abs(term) > Decimal("1e-40"):
        yield term
        term *= -x * x / ((order + 1) * (order + 2))
        order += 2


def _sum_of(terms: Iterator[Decimal]) -> Decimal:
    return sum(terms, Decimal(0))
