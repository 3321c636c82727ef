"""The mixture of experts: a router, and experts dense or packed in MXFP4.

In shapes, N is the number of tokens, H the hidden size, E the number of experts, and K the number
of experts for each token.
"""

from __future__ import annotations

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax

from exporters.families.gpt_oss import mxfp4
from exporters.families.gpt_oss.config import GptOssConfig
from exporters.model.layers import Linear, parameter

ExpertFormat = Literal["mxfp4", "dense"]

_LONGEST_RUN = 256
"""Rows of one expert at a time. Decoding its weights costs as much as some 300 rows on a CPU."""


class MixtureOfExperts(eqx.Module):
    """A layer that sends each token to the few experts that its router scores highest."""

    router: Linear
    gate_up: DenseExperts | Mxfp4Experts
    down: DenseExperts | Mxfp4Experts
    experts: int = eqx.field(static=True)
    experts_per_token: int = eqx.field(static=True)
    limit: float = eqx.field(static=True)
    alpha: float = eqx.field(static=True)

    def __init__(self, config: GptOssConfig, experts: ExpertFormat) -> None:
        kind: type[DenseExperts | Mxfp4Experts]
        kind = Mxfp4Experts if experts == "mxfp4" else DenseExperts
        self.router = Linear(config.hidden, config.experts)
        self.gate_up = kind(config.experts, config.hidden, 2 * config.intermediate)
        self.down = kind(config.experts, config.intermediate, config.hidden)
        self.experts = config.experts
        self.experts_per_token = config.experts_per_token
        self.limit = config.limit
        self.alpha = config.alpha

    def __call__(self, x: Array) -> Array:
        """Map (B, T, H) to (B, T, H)."""
        tokens = x.reshape(-1, x.shape[-1])
        chosen, shares = self.route(tokens)
        parts = self._apply(tokens, chosen)
        return jnp.sum(parts * shares[..., None], axis=1).reshape(x.shape)

    def route(self, tokens: Array) -> tuple[Array, Array]:
        """Return the experts of each token in (N, H), and their shares, which sum to one.

        Returns:
            The numbers of the experts, int32 (N, K), and their shares in the dtype of the tokens,
            (N, K).
        """
        scores, chosen = lax.top_k(self.router(tokens).astype(jnp.float32), self.experts_per_token)
        return chosen, jax.nn.softmax(scores, axis=-1).astype(tokens.dtype)

    def _apply(self, tokens: Array, chosen: Array) -> Array:
        """Return the result of each chosen expert for its token, (N, K, H).

        Pairs of a token and an expert are sorted by expert, and each step of a loop takes pairs of
        one expert. So the weights of an expert that no token chose are not read, and those of the
        others are decoded about once, one expert at a time. Every step has the same number of rows.
        Rows past the last pair of the expert get wrong results, which the next step overwrites.
        """
        count, each = chosen.shape
        pairs, rows = count * each, jax.core.min_dim(count, _LONGEST_RUN)
        experts = chosen.reshape(-1)
        order = jnp.argsort(experts)
        numbers = jnp.arange(self.experts, dtype=experts.dtype)
        ends = jnp.sum(experts[:, None] <= numbers, axis=0, dtype=order.dtype)
        past_the_end = jnp.zeros((rows,), order.dtype)
        in_order = jnp.concatenate([lax.div(order, jnp.asarray(each, order.dtype)), past_the_end])
        experts_in_order = row(experts, order)

        def run(state: tuple[Array, Array]) -> tuple[Array, Array]:
            start, parts = state
            expert = row(experts_in_order, start)
            taken = lax.dynamic_slice_in_dim(in_order, start, rows, allow_negative_indices=False)
            made = self._expert(expert, row(tokens, taken))
            parts = lax.dynamic_update_slice_in_dim(
                parts, made, start, axis=0, allow_negative_indices=False
            )
            return jnp.minimum(start + rows, row(ends, expert)), parts

        none = jnp.zeros((pairs + rows, tokens.shape[1]), tokens.dtype)
        start = jnp.zeros((), order.dtype)
        _, parts = lax.while_loop(lambda state: state[0] < pairs, run, (start, none))
        return row(parts, jnp.argsort(order)).reshape(count, each, -1)

    def _expert(self, expert: Array, x: Array) -> Array:
        pairs = self.gate_up(expert, x)
        gate = jnp.minimum(lax.slice_in_dim(pairs, 0, None, stride=2, axis=-1), self.limit)
        up = lax.slice_in_dim(pairs, 1, None, stride=2, axis=-1)
        up = jnp.clip(up, -self.limit, self.limit)
        return self.down(expert, gate * jax.nn.sigmoid(self.alpha * gate) * (up + 1))


class DenseExperts(eqx.Module):
    """A linear map for each expert, with a weight of shape (E, in, out)."""

    weight: Array
    bias: Array

    def __init__(self, experts: int, inputs: int, outputs: int) -> None:
        self.weight = parameter(experts, inputs, outputs)
        self.bias = parameter(experts, outputs)

    def __call__(self, expert: Array, x: Array) -> Array:
        """Apply the map of the expert of that number to x: (..., in) becomes (..., out)."""
        weight = row(self.weight, expert).astype(x.dtype)
        return x @ weight + row(self.bias, expert).astype(x.dtype)


class Mxfp4Experts(eqx.Module):
    """A linear map for each expert, whose (out, in) weight is packed in MXFP4 along the inputs."""

    blocks: Array
    scales: Array
    bias: Array

    def __init__(self, experts: int, inputs: int, outputs: int) -> None:
        blocks = inputs // mxfp4.BLOCK
        self.blocks = parameter(experts, outputs, blocks, mxfp4.BLOCK // 2, dtype=jnp.uint8)
        self.scales = parameter(experts, outputs, blocks, dtype=jnp.uint8)
        self.bias = parameter(experts, outputs)

    def __call__(self, expert: Array, x: Array) -> Array:
        """Apply the map of the expert of that number to x: (..., in) becomes (..., out)."""
        weight = mxfp4.decode(row(self.blocks, expert), row(self.scales, expert))
        return x @ weight.astype(x.dtype).T + row(self.bias, expert).astype(x.dtype)


def row(table: Array, index: Array) -> Array:
    """Return rows by index, as one gather without a bounds check. The indices must be in range."""
    return table.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)
