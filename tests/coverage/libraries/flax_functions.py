"""Examples that ``flax.nnx`` and ``flax.linen`` share: activations, pools and masks."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from tests.coverage.example import Example, b, each, f, i, of, present
from tests.coverage.libraries import jax_nn

_IMAGE = f(2, 8, 7, 3)


def of_library(library: Any) -> list[Example]:
    """Return the examples of ``flax.nnx`` or of ``flax.linen``."""
    activations = present(library, jax_nn.ACTIVATIONS)
    pools: list[dict[str, Any]] = [
        {"window_shape": (2, 2)},
        {"window_shape": (2, 2), "strides": (2, 2)},
        {"window_shape": (3, 3), "strides": (2, 2), "padding": "SAME"},
        {"window_shape": (3, 3), "padding": ((1, 0), (1, 1))},
    ]
    return [
        *each(library, activations, f(3, 4)),
        *each(
            library,
            "softmax log_softmax standardize logsumexp",
            f(3, 4),
            variants=({}, {"axis": 0}),
        ),
        *each(library, "gelu", f(3, 4), variants=({"approximate": False},)),
        *each(library, "glu", f(3, 8)),
        *each(library, "one_hot", i(3, 2), variants=({"num_classes": 6},)),
        *each(
            library,
            present(library, "avg_pool max_pool min_pool"),
            _IMAGE,
            variants=pools,
        ),
        *each(
            library,
            "avg_pool",
            _IMAGE,
            variants=({"window_shape": (3, 3), "padding": "SAME", "count_include_pad": False},),
        ),
        *of("pool", lambda x: library.pool(x, 0.0, lax.add, (2, 2), (2, 2), "VALID"), _IMAGE),
        *jax_nn.attention(library),
        *of("make_attention_mask", library.make_attention_mask, f(2, 5), f(2, 7)),
        *of(
            "make_attention_mask",
            lambda q, k: library.make_attention_mask(q, k, jnp.greater_equal, dtype=bool),
            i(2, 5),
            i(2, 7),
            variant="greater_equal",
        ),
        *of("make_causal_mask", library.make_causal_mask, f(2, 5)),
        *of("combine_masks", library.combine_masks, b(2, 1, 5, 5), b(2, 1, 5, 5)),
    ]
