"""GPT-OSS in Equinox.

Weights keep the dtype that they are stored in and are cast where they are used. The computation is
in the dtype of the hidden states, except norms and softmaxes, which are f32.

In shapes, B is the batch, T the length of the sequence, and H the hidden size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from exporters.families.gpt_oss import experts, forward
from exporters.families.gpt_oss.attention import Cache, attend
from exporters.families.gpt_oss.config import GptOssConfig
from exporters.families.gpt_oss.experts import ExpertFormat
from exporters.families.gpt_oss.forward import Interface
from exporters.families.gpt_oss.mxfp4 import BLOCK
from exporters.model.layers import Linear, parameter


class Embedding(eqx.Module):
    """A table of rows by token id. Only the rows that are used are cast."""

    weight: Array

    def __init__(self, vocabulary: int, hidden: int) -> None:
        self.weight = parameter(vocabulary, hidden)

    def __call__(self, ids: Array, dtype: np.dtype[Any]) -> Array:
        """Map (...) to (..., H)."""
        return experts.row(self.weight, ids).astype(dtype)


class Head(eqx.Module):
    """A linear map to the scores of all tokens."""

    weight: Array

    def __init__(self, hidden: int, vocabulary: int) -> None:
        self.weight = parameter(vocabulary, hidden)

    def __call__(self, x: Array) -> Array:
        """Map (B, T, H) to (B, T, vocabulary)."""
        return forward.scores(x, self.weight)


class RMSNorm(eqx.Module):
    """A norm that scales each row to a mean square of one and multiplies by the weight, in f32."""

    weight: Array
    epsilon: float = eqx.field(static=True)

    def __init__(self, hidden: int, epsilon: float) -> None:
        self.weight = parameter(hidden)
        self.epsilon = epsilon

    def __call__(self, x: Array) -> Array:
        """Map (..., H) to (..., H)."""
        return forward.rms_norm(x, self.weight, self.epsilon)


class Attention(eqx.Module):
    """Grouped-query attention. Each head has a sink, which takes part in every softmax."""

    q: Linear
    k: Linear
    v: Linear
    o: Linear
    sinks: Array

    def __init__(self, config: GptOssConfig) -> None:
        queries, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
        self.q = Linear(config.hidden, queries)
        self.k = Linear(config.hidden, keys)
        self.v = Linear(config.hidden, keys)
        self.o = Linear(queries, config.hidden)
        self.sinks = parameter(config.heads)

    def __call__(
        self, x: Array, rotation: tuple[Array, Array], visible: Array, past: Cache | None
    ) -> tuple[Array, Cache]:
        """Map (B, T, H) to (B, T, H); see ``attend`` for the other arguments."""
        q, k, v = self.q(x), self.k(x), self.v(x)
        mixed, present = attend(q, k, v, self.sinks, rotation, visible, past)
        return self.o(mixed), present


class DenseExperts(eqx.Module):
    """A linear map for each expert, with a weight of shape (E, in, out)."""

    weight: Array
    bias: Array

    def __init__(self, count: int, inputs: int, outputs: int) -> None:
        self.weight = parameter(count, inputs, outputs)
        self.bias = parameter(count, outputs)

    def __call__(self, expert: Array, x: Array) -> Array:
        """Apply the map of the expert of that number to x: (..., in) becomes (..., out)."""
        return experts.dense(x, self.weight, self.bias, expert)


class Mxfp4Experts(eqx.Module):
    """A linear map for each expert, whose (out, in) weight is packed in MXFP4 along the inputs."""

    blocks: Array
    scales: Array
    bias: Array

    def __init__(self, count: int, inputs: int, outputs: int) -> None:
        blocks = inputs // BLOCK
        self.blocks = parameter(count, outputs, blocks, BLOCK // 2, dtype=np.uint8)
        self.scales = parameter(count, outputs, blocks, dtype=np.uint8)
        self.bias = parameter(count, outputs)

    def __call__(self, expert: Array, x: Array) -> Array:
        """Apply the map of the expert of that number to x: (..., in) becomes (..., out)."""
        return experts.packed(x, self.blocks, self.scales, self.bias, expert)


class CodedExperts(eqx.Module):
    """A linear map for each expert, whose (out, in) weight has codes of 8 bits."""

    codes: Array
    factors: Array
    bias: Array

    def __init__(self, count: int, inputs: int, outputs: int) -> None:
        self.codes = parameter(count, outputs, inputs, dtype=np.uint8)
        self.factors = parameter(count, outputs, inputs // BLOCK)
        self.bias = parameter(count, outputs)

    def __call__(self, expert: Array, x: Array) -> Array:
        """Apply the map of the expert of that number to x: (..., in) becomes (..., out)."""
        return experts.coded(x, *self.arrays, expert)

    @property
    def arrays(self) -> tuple[Array, Array, Array]:
        """The parameters as ``qmoe.mixture`` takes them."""
        return self.codes, self.factors, self.bias.astype(np.float32)


_EXPERTS: Mapping[ExpertFormat, type[DenseExperts | Mxfp4Experts | CodedExperts]] = {
    "dense": DenseExperts,
    "mxfp4": Mxfp4Experts,
    "int8": CodedExperts,
}


class MixtureOfExperts(eqx.Module):
    """A layer that sends each token to the few experts that its router scores highest."""

    router: Linear
    gate_up: DenseExperts | Mxfp4Experts | CodedExperts
    down: DenseExperts | Mxfp4Experts | CodedExperts
    config: GptOssConfig = eqx.field(static=True)

    def __init__(self, config: GptOssConfig, kind: ExpertFormat) -> None:
        make = _EXPERTS[kind]
        self.router = Linear(config.hidden, config.experts)
        self.gate_up = make(config.experts, config.hidden, 2 * config.intermediate)
        self.down = make(config.experts, config.intermediate, config.hidden)
        self.config = config

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """Map (B, T, H) to (B, T, H), and return the router's scores (B * T, E) too."""
        return forward.mix(x, self.router, self.gate_up, self.down, self.config)


class Block(eqx.Module):
    """A layer: attention and experts, each added to its input, which it takes normalised."""

    attention_norm: RMSNorm
    attention: Attention
    mlp_norm: RMSNorm
    mlp: MixtureOfExperts

    def __init__(self, config: GptOssConfig, kind: ExpertFormat) -> None:
        self.attention_norm = RMSNorm(config.hidden, config.epsilon)
        self.attention = Attention(config)
        self.mlp_norm = RMSNorm(config.hidden, config.epsilon)
        self.mlp = MixtureOfExperts(config, kind)

    def __call__(
        self, x: Array, rotation: tuple[Array, Array], visible: Array, past: Cache | None
    ) -> tuple[Array, Cache, Array]:
        """Map (B, T, H) to (B, T, H); see ``forward.Layer`` for the other results."""
        mixed, present = self.attention(self.attention_norm(x), rotation, visible, past)
        x = x + mixed
        changed, scores = self.mlp(self.mlp_norm(x))
        return x + changed, present, scores


class GptOss(eqx.Module):
    """The whole model.

    Args:
        config: the sizes and constants.
        kind: the format of the experts in the checkpoint.
        interface: the inputs and outputs of a call.
        dtype: the dtype of the computation.
    """

    embedding: Embedding
    layers: tuple[Block, ...]
    norm: RMSNorm
    head: Head
    config: GptOssConfig = eqx.field(static=True)
    interface: Interface = eqx.field(static=True)
    dtype: np.dtype[Any] = eqx.field(static=True)

    def __init__(
        self,
        config: GptOssConfig,
        kind: ExpertFormat,
        interface: Interface = forward.WHOLE,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.embedding = Embedding(config.vocabulary, config.hidden)
        self.layers = tuple(Block(config, kind) for _ in range(config.layers))
        self.norm = RMSNorm(config.hidden, config.epsilon)
        self.head = Head(config.hidden, config.vocabulary)
        self.config = config
        self.interface = interface
        self.dtype = np.dtype(dtype)

    def __call__(
        self, input_ids: Array, attention_mask: Array, *others: Array
    ) -> tuple[Array, ...]:
        """Return the logits of the token that follows each position, and the next cache.

        See ``forward.call``.
        """
        return forward.call(self, input_ids, attention_mask, others)
