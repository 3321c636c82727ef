"""Layers that the encoder families share, with parameters as PyTorch checkpoints hold them.

A new layer is abstract: its array leaves are `jax.ShapeDtypeStruct`, so that a model of any size
is made in no time. `exporters.artifact.bind.load` replaces them with real arrays. A parameter keeps
the dtype that it is stored in and is cast where it is used, so that the artifact can point into the
checkpoint. All arithmetic is done in the dtype of the activations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import DTypeLike

from exporters.model.exportable import TensorSource
from weights import Checkpoint
from weights.files.dtypes import NUMPY

Model = TypeVar("Model")


def parameter(*shape: int, dtype: DTypeLike = jnp.float32) -> Array:
    """A parameter without values; floats are of this dtype until `as_stored` says otherwise."""
    return cast(Array, jax.ShapeDtypeStruct(shape, dtype))


def as_stored(model: Model, sources: Mapping[str, TensorSource], checkpoint: Checkpoint) -> Model:
    """The model with every parameter in the floating-point dtype of the tensor it is bound to.

    Parameters without a tensor, or with one of another kind, stay as they are:
    `exporters.artifact.bind.check` reports them.
    """

    def typed(key: Any, leaf: Any) -> Any:
        source = sources.get(jax.tree_util.keystr(key, simple=True, separator="."))
        info = checkpoint.tensors.get(source.tensor) if source else None
        if info is None or info.dtype not in ("F32", "F16", "BF16"):
            return leaf
        if not jnp.issubdtype(leaf.dtype, jnp.floating):  # packed codes, which floats are not
            return leaf
        return jax.ShapeDtypeStruct(leaf.shape, NUMPY[info.dtype])

    typed_model: Model = jax.tree_util.tree_map_with_path(typed, model)
    return typed_model


class Linear(eqx.Module):
    """`x @ weight.T + bias` on the last axis, with `weight` stored (out, in)."""

    weight: Array
    bias: Array | None

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        self.weight = parameter(outputs, inputs)
        self.bias = parameter(outputs) if bias else None

    def __call__(self, x: Array) -> Array:
        """(..., in) -> (..., out)."""
        last = (x.ndim - 1,)
        y = lax.dot_general(x, self.weight.astype(x.dtype), ((last, (1,)), ((), ())))
        return y if self.bias is None else y + self.bias.astype(x.dtype)


class LayerNorm(eqx.Module):
    """Normalises the last axis to mean 0 and variance 1, then scales and shifts it."""

    weight: Array
    bias: Array
    eps: float = eqx.field(static=True)

    def __init__(self, size: int, eps: float) -> None:
        self.weight = parameter(size)
        self.bias = parameter(size)
        self.eps = eps

    def __call__(self, x: Array) -> Array:
        """(..., size) -> the same."""
        centred = x - jnp.mean(x, axis=-1, keepdims=True)
        variance = jnp.mean(jnp.square(centred), axis=-1, keepdims=True)
        normalised = centred * lax.rsqrt(variance + self.eps)
        return normalised * self.weight.astype(x.dtype) + self.bias.astype(x.dtype)


def split_heads(x: Array, tokens: int, heads: int) -> Array:
    """(batch * tokens, heads * d) -> (batch, heads, tokens, d)."""
    return x.reshape(-1, tokens, heads, x.shape[-1] // heads).transpose(0, 2, 1, 3)


def merge_heads(x: Array) -> Array:
    """(batch, heads, tokens, d) -> (batch * tokens, heads * d): undoes `split_heads`."""
    return x.transpose(0, 2, 1, 3).reshape(-1, x.shape[1] * x.shape[3])


def attention(q: Array, k: Array, v: Array, bias: Array | None = None) -> Array:
    """softmax(q k^T / sqrt(d) + bias) v, for q, k, v (batch, heads, tokens, d).

    `bias` broadcasts to (batch, heads, tokens, tokens).
    """
    scores = (q @ k.swapaxes(-1, -2)) * (1 / math.sqrt(q.shape[-1]))
    if bias is not None:
        scores = scores + bias
    return jax.nn.softmax(scores, axis=-1) @ v
