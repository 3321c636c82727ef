"""The mixture of experts: routing, the loop over experts, and experts dense or packed in MXFP4.

In shapes, N is the number of tokens, H the hidden size, E the number of experts, and K the number
of experts for each token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import DTypeLike

from exporters.families.gpt_oss import mxfp4
from exporters.families.gpt_oss.config import GptOssConfig
from exporters.families.gpt_oss.mxfp4 import BLOCK

ExpertFormat = Literal["mxfp4", "dense", "int8"]

_LONGEST_RUN = 256
"""Rows of one expert at a time. Decoding its weights costs as much as some 300 rows on a CPU."""


def mixture(
    tokens: Array,
    scores: Array,
    gate_up: Callable[[Array, Array], Array],
    down: Callable[[Array, Array], Array],
    config: GptOssConfig,
) -> Array:
    """Send each token to the few experts that score highest, and mix their results.

    Args:
        tokens: the inputs of the experts, (N, H).
        scores: what the router makes of them, (N, E).
        gate_up: maps the number of an expert and rows (R, H) to gates and values, interleaved.
        down: maps the number of an expert and rows (R, intermediate) to (R, H).
        config: the sizes and constants.

    Returns:
        The mixture, (N, H).
    """
    chosen, shares = route(scores, config.experts_per_token, tokens.dtype)

    def expert(number: Array, rows: Array) -> Array:
        return down(number, _activated(gate_up(number, rows), config))

    parts = _apply(tokens, chosen, config.experts, expert)
    return jnp.sum(parts * shares[..., None], axis=1)


def route(scores: Array, count: int, dtype: DTypeLike) -> tuple[Array, Array]:
    """Return the experts of each token, and their shares, which sum to one.

    Args:
        scores: the router's scores, (N, E).
        count: the number of experts for each token, K.
        dtype: the dtype of the shares.

    Returns:
        The numbers of the experts, int32 (N, K), and their shares, (N, K).
    """
    highest, chosen = lax.top_k(scores.astype(jnp.float32), count)
    return chosen, jax.nn.softmax(highest, axis=-1).astype(dtype)


def _apply(
    tokens: Array, chosen: Array, experts: int, expert: Callable[[Array, Array], Array]
) -> Array:
    """Return the result of each chosen expert for its token, (N, K, H).

    Pairs of a token and an expert are sorted by expert, and each step of a loop takes pairs of one
    expert. So the weights of an expert that no token chose are not read, and those of the others
    are decoded about once, one expert at a time. Every step has the same number of rows. Rows past
    the last pair of the expert get wrong results, which the next step overwrites.
    """
    count, each = chosen.shape
    pairs, rows = count * each, jax.core.min_dim(count, _LONGEST_RUN)
    numbers = chosen.reshape(-1)
    order = jnp.argsort(numbers)
    every = jnp.arange(experts, dtype=numbers.dtype)
    ends = jnp.sum(numbers[:, None] <= every, axis=0, dtype=order.dtype)
    past_the_end = jnp.zeros((rows,), order.dtype)
    in_order = jnp.concatenate([lax.div(order, jnp.asarray(each, order.dtype)), past_the_end])
    numbers_in_order = row(numbers, order)

    def run(state: tuple[Array, Array]) -> tuple[Array, Array]:
        start, parts = state
        number = row(numbers_in_order, start)
        taken = lax.dynamic_slice_in_dim(in_order, start, rows, allow_negative_indices=False)
        made = expert(number, row(tokens, taken))
        parts = lax.dynamic_update_slice_in_dim(
            parts, made, start, axis=0, allow_negative_indices=False
        )
        return jnp.minimum(start + rows, row(ends, number)), parts

    none = jnp.zeros((pairs + rows, tokens.shape[1]), tokens.dtype)
    start = jnp.zeros((), order.dtype)
    _, parts = lax.while_loop(lambda state: state[0] < pairs, run, (start, none))
    return row(parts, jnp.argsort(order)).reshape(count, each, -1)


def _activated(pairs: Array, config: GptOssConfig) -> Array:
    """Return the gated values of interleaved gates and values: (R, 2 * n) becomes (R, n)."""
    gate = jnp.minimum(lax.slice_in_dim(pairs, 0, None, stride=2, axis=-1), config.limit)
    up = lax.slice_in_dim(pairs, 1, None, stride=2, axis=-1)
    up = jnp.clip(up, -config.limit, config.limit)
    return gate * jax.nn.sigmoid(config.alpha * gate) * (up + 1)


def dense(x: Array, weight: Array, bias: Array, expert: Array) -> Array:
    """Apply the map of one expert: (..., in) becomes (..., out).

    Args:
        x: the inputs.
        weight: the weights of all experts, (E, in, out).
        bias: their biases, (E, out).
        expert: the number of the expert, an integer scalar.
    """
    return x @ row(weight, expert).astype(x.dtype) + row(bias, expert).astype(x.dtype)


def packed(x: Array, blocks: Array, scales: Array, bias: Array, expert: Array) -> Array:
    """Apply the map of one expert, whose weight is packed in MXFP4 along its inputs.

    Args:
        x: the inputs, (R, in).
        blocks: the codes of all experts, uint8 (E, out, in / 32, 16).
        scales: their scales, uint8 (E, out, in / 32).
        bias: their biases, (E, out).
        expert: the number of the expert, an integer scalar.
    """
    products = mxfp4.matmul(x, row(blocks, expert), row(scales, expert))
    return products + row(bias, expert).astype(x.dtype)


def coded(x: Array, codes: Array, factors: Array, bias: Array, expert: Array) -> Array:
    """Apply the map of one expert, whose weight has codes of 8 bits.

    Args:
        x: the inputs, (R, in).
        codes: the codes of all experts, uint8 (E, out, in). 128 stands for zero.
        factors: the factor of each block of 32 codes, f32 (E, out, in / 32).
        bias: their biases, (E, out).
        expert: the number of the expert, an integer scalar.
    """
    steps = row(codes, expert).astype(jnp.float32) - 128
    blocks = steps.reshape(steps.shape[0], -1, BLOCK) * row(factors, expert)[..., None]
    return x @ blocks.reshape(steps.shape).T + row(bias, expert)


def row(table: Array, index: Array) -> Array:
    """Return rows by index, as one gather without a bounds check. The indices must be in range."""
    return table.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)
