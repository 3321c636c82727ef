"""Scatters that multiply complex numbers, or keep the smaller or the larger ones.

The updates are applied one after the other in a loop, since several may go to the same place.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax2onnx.lower.plain_numbers.retrace import RULES, Pair, Rule


def _one_by_one(combine: Rule) -> Rule:
    """Return a rule for a scatter that combines old and new values by ``combine``."""

    def rule(
        z: Pair,
        indices: Array,
        updates: Pair,
        *,
        dimension_numbers: lax.ScatterDimensionNumbers,
        mode: lax.GatherScatterMode,
        **_: object,
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
        # An update outside is not written, so that it does not matter what is read there.
        clip = lax.GatherScatterMode.CLIP

        def step(i: Array, z: Pair) -> Pair:
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


def _without_batch_axes(
    indices: Array, numbers: Any
) -> tuple[Any, tuple[int, ...], tuple[int, ...]]:
    """Turn batching axes into indexed ones.

    Args:
        indices: (..., components).
        numbers: the dimension numbers of the scatter.

    Returns:
        The indices with a component for each batching axis, ``inserted_window_dims`` and
        ``scatter_dims_to_operand_dims``.
    """
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
