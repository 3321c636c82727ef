"""Products with weights in MXFP4 as GPT-OSS stores them (OCP Microscaling Formats 1.0).

32 values share one E8M0 scale. Each value is an E2M1 code of four bits; a byte holds two codes, the
first in its low nibble. The tables are made from bits, so they are exact.

The steps are those that are fastest with standard operators on ONNX Runtime's CPU provider:

- GatherElements takes 1.2 ns for an element, and Gather takes 8 to 11 ns for an index, because it
  divides and calls memcpy. So tables are read by GatherElements.
- Multiplying by scales is fast if one scale follows another, and takes three times as long if 16
  neighbours share one. So the bytes are transposed first, while they are small.
- The product with a single row needs no decoded weights: each byte looks up what it contributes.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array, lax

BLOCK = 32
"""The number of values that share a scale."""

_SHARES = 8
"""The parts that a look-up is divided into for threads. Each takes 1 kB in the artifact."""

_E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)
_CODES = np.concatenate([_E2M1, -_E2M1])
_BYTES = np.arange(256)

PAIRS = np.stack([_CODES[_BYTES & 15], _CODES[_BYTES >> 4]], axis=-1)
"""The two values in each byte, f32 (256, 2)."""


def _powers_of_two() -> npt.NDArray[np.float32]:
    bits = np.arange(256, dtype=np.uint32) << 23  # the scale is the exponent field of f32
    bits[0] = 1 << 22  # 2**-127, which is a subnormal of f32
    bits[255] = 0x7FC00000  # NaN
    return bits.view(np.float32)


SCALES = _powers_of_two()
"""The factor of each scale, 2 ** (scale - 127), f32 (256,)."""


def matmul(x: Array, blocks: Array, scales: Array) -> Array:
    """Return ``x @ weight.T`` for a weight that is packed along its inputs.

    Args:
        x: the rows, (R, 32 * n).
        blocks: the codes, uint8 (out, n, 16).
        scales: the scales, uint8 (out, n).

    Returns:
        The products, (R, out), in the dtype of ``x``.
    """
    outputs, count, half = blocks.shape
    codes = blocks.reshape(outputs, count * half).T.astype(jnp.int32)
    factors = _look_up(SCALES, scales.T)
    rows: Any = x.shape[0]  # an expression of sizes if it stays open
    if isinstance(rows, int):
        return _one_row(x, codes, factors) if rows == 1 else _many_rows(x, codes, factors)
    is_one = jnp.asarray(rows) == 1
    products: Array = lax.cond(is_one, _one_row, _many_rows, x, codes, factors)
    return products


def _one_row(x: Array, codes: Array, factors: Array) -> Array:
    """Return the products (R, out) of rows of which only the first one counts.

    Args:
        x: the rows, (R, 32 * n).
        codes: the bytes of the weight, int32 (16 * n, out).
        factors: the factor of each block, f32 (n, out).
    """
    count, outputs = factors.shape
    pairs = x[0].astype(jnp.float32).reshape(-1, 2)
    contributions = pairs @ jnp.asarray(PAIRS.T)
    picked = _along_rows(contributions, codes).reshape(count, -1, outputs)
    products = jnp.sum(jnp.sum(picked, axis=1) * factors, axis=0)
    return jnp.broadcast_to(products.astype(x.dtype), (x.shape[0], outputs))


def _many_rows(x: Array, codes: Array, factors: Array) -> Array:
    """Return the products (R, out); see ``_one_row``."""
    parts = []
    for nibble in range(2):
        values = _look_up(PAIRS[:, nibble], codes).reshape(factors.shape[0], -1, codes.shape[1])
        weight = (values * factors[:, None]).reshape(codes.shape).astype(x.dtype)
        parts.append(lax.slice_in_dim(x, nibble, None, stride=2, axis=1) @ weight)
    return parts[0] + parts[1]


def _look_up(table: npt.NDArray[np.float32], codes: Array) -> Array:
    """Return the entries (a, b) of a table (256,) at codes (a, b), of which b is a multiple of 8.

    Each of 8 rows has a table of its own, so that threads can share the work.
    """
    tables = jnp.broadcast_to(jnp.asarray(table), (_SHARES, 256))
    found = _along_rows(tables, codes.astype(jnp.int32).reshape(_SHARES, -1))
    return found.reshape(codes.shape)


def _along_rows(tables: Array, codes: Array) -> Array:
    """Return ``tables[i, codes[i, j]]``, as one GatherElements without a bounds check."""
    return jnp.take_along_axis(tables, codes, axis=1, mode="promise_in_bounds")
