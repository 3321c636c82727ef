"""The computation of GPT-OSS that does not depend on the library that holds its parameters.

In shapes, B is the batch, T the length of the sequence, H the hidden size, P the number of
positions in the cache, and S = P + T.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from exporters.families.gpt_oss import qmoe, rope
from exporters.families.gpt_oss.attention import Cache
from exporters.families.gpt_oss.config import GptOssConfig
from exporters.families.gpt_oss.experts import mixture, route, row
from exporters.model.layers import linear


@dataclass(frozen=True)
class Interface:
    """The inputs and outputs that a model has besides token ids, attention mask and logits.

    Attributes:
        cache: whether it continues sequences with a cache of their keys and values.
        position_ids: whether it takes the positions of the tokens, which it otherwise counts.
        logits: whether it returns logits for all positions, or for the last one that is not masked.
        routing: whether it returns how each layer's router sent each token to experts.
    """

    cache: bool = False
    position_ids: bool = False
    logits: Literal["all", "last"] = "all"
    routing: bool = False


WHOLE = Interface()
"""Whole sequences in one call."""

_LARGE = 1 << 30
"""The bytes of a cast weight above which ONNX Runtime does not keep it, but casts in each step."""

_PIECE = 128
"""The rows of a large weight that are cast at once: 1.5 MB of the published models."""


Experts = Callable[[Array, Array], Array]
"""Applies the map of the expert of a number, an integer scalar, to rows."""

Layer = Callable[[Array, tuple[Array, Array], Array, Cache | None], tuple[Array, Cache, Array]]
"""Maps (B, T, H) to (B, T, H); ``attention.attend`` describes the other arguments and the cache.

The last result is the scores that the router gave to each expert, (B * T, experts).
"""


class Model(Protocol):
    """The parts of a model, in whichever library."""

    @property
    def embedding(self) -> Callable[[Array, np.dtype[Any]], Array]:
        """Maps token ids (B, T) to (B, T, H) of a dtype."""

    @property
    def layers(self) -> Iterable[Layer]:
        """The layers in their order."""

    @property
    def norm(self) -> Callable[[Array], Array]:
        """The norm before the head."""

    @property
    def head(self) -> Callable[[Array], Array]:
        """Maps (B, T, H) to (B, T, vocabulary)."""

    @property
    def config(self) -> GptOssConfig:
        """The sizes and constants."""

    @property
    def interface(self) -> Interface:
        """The inputs and outputs of a call."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the computation."""


def call(
    model: Model, input_ids: Array, attention_mask: Array, others: Sequence[Array]
) -> tuple[Array, ...]:
    """Return the logits of the token that follows each position, and the next cache.

    Args:
        model: the model.
        input_ids: integer (B, T), each below the size of the vocabulary.
        attention_mask: integer (B, S), 1 for the positions that count, and 0 for padding, which
            may be anywhere.
        others: the ``position_ids``, integer (B, T), and then the keys and values of the first
            layer, of the second, ..., each (B, kv_heads, P, head_dim), where P is 0 at the
            beginning; both only if the interface has them.

    Returns:
        The logits, f32 (B, T, vocabulary) or (B, 1, vocabulary); with a cache, the keys and
        values for the next call, each (B, kv_heads, S, head_dim); and with routing, for each layer,
        the scores f32 (B, T, experts), the chosen experts int32 (B, T, experts_per_token), and
        their shares f32 of that shape.
    """
    positions, past = None, None
    if model.interface.position_ids:
        positions, others = others[0], others[1:]
    if model.interface.cache:
        past = list(zip(others[0::2], others[1::2], strict=True))
    states, present, gates = run(model, input_ids, attention_mask, positions, past)
    last = states[-1]
    if model.interface.logits == "last":
        last = _last(last, attention_mask)
    logits = model.head(last).astype(jnp.float32)
    kept = [each for cache in present if model.interface.cache for each in cache]
    routed = [each for gate in gates if model.interface.routing for each in _routed(model, gate)]
    shape = input_ids.shape
    return logits, *kept, *(each.reshape(*shape, each.shape[-1]) for each in routed)


def _routed(model: Model, gate: Array) -> tuple[Array, Array, Array]:
    """Return the scores of a router, and the experts and shares that follow from them."""
    chosen, shares = route(gate, model.config.experts_per_token, gate.dtype)
    return gate.astype(jnp.float32), chosen, shares.astype(jnp.float32)


def run(
    model: Model,
    input_ids: Array,
    attention_mask: Array,
    position_ids: Array | None = None,
    past: Sequence[Cache] | None = None,
) -> tuple[list[Array], list[Cache], list[Array]]:
    """Run the layers and return all that they compute.

    Args:
        model: the model.
        input_ids: integer (B, T), each below the size of the vocabulary.
        attention_mask: integer (B, S), 0 for padding and 1 for the other positions.
        position_ids: integer (B, T); by default, tokens that are not padding are counted.
        past: the cache of each layer for the P positions before.

    Returns:
        The hidden states, each (B, T, H): the embeddings, the output of each layer but the last,
        and the normalised output of the last. The cache of each layer, whose keys and values are
        (B, kv_heads, S, head_dim). And the scores of each layer's router, (B * T, experts).
    """
    before = 0 if past is None else past[0][0].shape[2]
    counted = jnp.cumsum(attention_mask.astype(jnp.int32), axis=1) - 1
    here = lax.slice_in_dim(counted, before, None, axis=1)
    rotation = _rotation(model.config, here if position_ids is None else position_ids)
    distance = here[:, None, :, None] - counted[:, None, None, :]
    valid = (attention_mask != 0)[:, None, None, :]
    windows = model.config.windows
    visible = {window: valid & _within(distance, window) for window in dict.fromkeys(windows)}
    states, present = [model.embedding(input_ids, model.dtype)], []
    gates = []
    for number, (layer, window) in enumerate(zip(model.layers, windows, strict=True)):
        cache = None if past is None else past[number]
        state, kept, gate = layer(states[-1], rotation, visible[window], cache)
        states.append(state)
        present.append(kept)
        gates.append(gate)
    states[-1] = model.norm(states[-1])
    return states, present, gates


def rms_norm(x: Array, weight: Array, epsilon: float) -> Array:
    """Scale each row of x (..., H) to a mean square of one, times the weight (H,), in f32."""
    wide = x.astype(jnp.float32)
    mean_square = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
    normal = wide * lax.rsqrt(mean_square + epsilon)
    return (normal * weight.astype(jnp.float32)).astype(x.dtype)


def scores(x: Array, weight: Array) -> Array:
    """Return ``x @ weight.T`` in the dtype of x: (B, T, H) becomes (B, T, vocabulary).

    A large weight in another dtype is cast and used in pieces, each of which stays in a processor's
    cache. The runtime would otherwise keep the wide copy in memory, or make it again in each step.

    Args:
        x: the normalised states, (B, T, H).
        weight: a row for each token, (vocabulary, H).
    """
    vocabulary, hidden = weight.shape
    if weight.dtype == x.dtype or vocabulary * hidden * x.dtype.itemsize <= _LARGE:
        return linear(x, weight, None)
    count, rest = divmod(vocabulary, _PIECE)
    columns = x.reshape(-1, hidden).T
    whole = lax.slice_in_dim(weight, 0, count * _PIECE).reshape(count, _PIECE, hidden)
    pieces: Array = lax.map(lambda rows: rows.astype(x.dtype) @ columns, whole)
    all_scores = pieces.reshape(count * _PIECE, columns.shape[1])
    if rest:
        last = lax.slice_in_dim(weight, count * _PIECE, vocabulary).astype(x.dtype)
        all_scores = jnp.concatenate([all_scores, last @ columns])
    return all_scores.T.reshape(*x.shape[:2], vocabulary)


def mix(
    x: Array,
    router: Callable[[Array], Array],
    gate_up: Experts,
    down: Experts,
    config: GptOssConfig,
) -> tuple[Array, Array]:
    """Send each token to the few experts that its router scores highest, and mix their results.

    Args:
        x: the normalised states, (B, T, H).
        router: maps (B * T, H) to the scores of the experts, (B * T, E).
        gate_up: the first maps of all experts. Those with ``arrays`` are computed by QMoE.
        down: the second maps of all experts, of the same kind.
        config: the sizes and constants.

    Returns:
        The mixture, (B, T, H), and the scores.
    """
    tokens = x.reshape(-1, x.shape[-1])
    gate = router(tokens)
    first, second = getattr(gate_up, "arrays", None), getattr(down, "arrays", None)
    if first is None or second is None:
        mixed = mixture(tokens, gate, gate_up, down, config)
    else:
        mixed = qmoe.mixture(tokens, gate, first, second, config)
    return mixed.reshape(x.shape), gate


def _rotation(config: GptOssConfig, positions: Array) -> tuple[Array, Array]:
    """Return the cosines and sines of all positions (B, T), f32 (B, 1, T, head_dim / 2)."""
    frequencies = rope.inverse_frequencies(config.rope, config.head_dim)
    angles = positions.astype(jnp.float32)[:, None, :, None] * frequencies
    concentration = rope.concentration(config.rope)
    return jnp.cos(angles) * concentration, jnp.sin(angles) * concentration


def _within(distance: Array, window: int | None) -> Array:
    """Return whether a token sees another one at a distance behind it, given the window."""
    return distance >= 0 if window is None else (distance >= 0) & (distance < window)


def _last(states: Array, attention_mask: Array) -> Array:
    """Return the states (B, 1, H) of the last position of each sequence that is not padding."""
    length = states.shape[1]
    mask = lax.slice_in_dim(attention_mask, attention_mask.shape[1] - length, None, axis=1)
    numbers = jnp.arange(length, dtype=jnp.int32)
    index = jnp.max(jnp.where(mask != 0, numbers, 0), axis=1)
    return jax.vmap(lambda sequence, i: row(sequence, i)[None])(states, index)
