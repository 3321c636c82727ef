"""Scatters that multiply complex numbers, or keep the smaller or the larger ones.

One update follows the other in a loop, since several may go to one place.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jax2onnx.lower.plain_numbers.retrace import RULES, Pair, Rule


def _one_by_one(combine: Rule) -> Rule:
    def rule(
        z: Pair, indices: Any, updates: Pair, *, dimension_numbers: Any, mode: Any, **_: Any
    ) -> Pair:
        window = dimension_numbers.update_window_dims
        batch = [a for a in range(updates.re.ndim) if a not in window]
        count = math.prod(updates.re.shape[a] for a in batch)
        if count == 0:
            return z
        extents = [updates.re.shape[a] for a in window]
        updates = Pair(
            *(jnp.moveaxis(x, batch, range(len(batch))).reshape(count, *extents) for x in updates)
        )
        indices, inserted, indexed = _without_batch_axes(indices, dimension_numbers)
        indices = indices.reshape(count, len(indexed))
        axes = tuple(range(len(window))), inserted, indexed
        read, written = lax.GatherDimensionNumbers(*axes), lax.ScatterDimensionNumbers(*axes)
        rest = iter(extents)
        sizes = [1 if axis in inserted else next(rest) for axis in range(z.re.ndim)]
        # Of what lies outside, and is not written, anything may be read.
        clip = lax.GatherScatterMode.CLIP

        def step(i: Any, z: Pair) -> Pair:
            index, *update = (
                lax.dynamic_index_in_dim(x, i, 0, keepdims=False) for x in (indices, *updates)
            )
            old = Pair(*(lax.gather(x, index, read, sizes, mode=clip) for x in z))
            new = combine(old, Pair(*update))
            pairs = zip(z, new, strict=True)
            return Pair(*(lax.scatter(x, index, y, written, mode=mode) for x, y in pairs))

        result: Pair = lax.fori_loop(np.int32(0), np.int32(count), step, z)
        return result

    return rule


def _without_batch_axes(indices: Any, numbers: Any) -> tuple[Any, tuple[int, ...], tuple[int, ...]]:
    """Indices that say the place along the batch axes too, and the axes that they take away."""
    inserted, indexed = numbers.inserted_window_dims, numbers.scatter_dims_to_operand_dims
    for axis, along in zip(
        numbers.operand_batching_dims, numbers.scatter_indices_batching_dims, strict=True
    ):
        place = lax.broadcasted_iota(indices.dtype, (*indices.shape[:-1], 1), along)
        indices = jnp.concatenate([indices, place], axis=-1)
        inserted, indexed = tuple(sorted((*inserted, axis))), (*indexed, axis)
    return indices, inserted, indexed


RULES[lax.scatter_mul_p] = _one_by_one(RULES[lax.mul_p])
RULES[lax.scatter_min_p] = _one_by_one(RULES[lax.min_p])
RULES[lax.scatter_max_p] = _one_by_one(RULES[lax.max_p])
