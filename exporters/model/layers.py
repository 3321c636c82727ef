"""Layers that the model families share, with parameters in the layout of PyTorch checkpoints.

A new layer is abstract: its array leaves are ``jax.ShapeDtypeStruct``, so that a model of any size
is made in no time. ``exporters.artifact.bind.load`` replaces them with real arrays. A parameter
keeps the dtype that it is stored in and is cast where it is used, so that the artifact can refer to
the checkpoint. All arithmetic is in the dtype of the activations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import DTypeLike

from exporters.model.exportable import TensorSource
from jax2onnx.models import Leaf, parameters, with_parameters
from weights import Checkpoint
from weights.files.dtypes import NUMPY

Model = TypeVar("Model", bound=Callable[..., Any])


def parameter(*shape: int, dtype: DTypeLike = jnp.float32) -> Array:
    """Return an abstract parameter; ``as_stored`` gives floats the dtype of the checkpoint."""
    return cast(Array, jax.ShapeDtypeStruct(shape, dtype))


def as_stored(model: Model, sources: Mapping[str, TensorSource], checkpoint: Checkpoint) -> Model:
    """Return the model with each parameter in the floating-point dtype of its tensor.

    Parameters without a tensor, or with a tensor of another kind, stay as they are.
    ``exporters.artifact.bind.check`` reports them.

    Args:
        model: an abstract model, in Equinox, Flax NNX or any other kind that ``to_onnx`` takes.
        sources: the tensor of each parameter, by the parameter's path.
        checkpoint: the tensors.
    """

    def typed(path: str, leaf: Leaf) -> Leaf:
        source = sources.get(path)
        info = checkpoint.tensors.get(source.tensor) if source else None
        if info is None or info.dtype not in ("F32", "F16", "BF16"):
            return leaf
        if not jnp.issubdtype(leaf.dtype, jnp.floating):  # packed codes
            return leaf
        return jax.ShapeDtypeStruct(leaf.shape, NUMPY[info.dtype])

    return with_parameters(model, {p: typed(p, leaf) for p, leaf in parameters(model).items()})


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    """Return ``x @ weight.T + bias``: (..., in) becomes (..., out); the weight is (out, in)."""
    y = lax.dot_general(x, weight.astype(x.dtype), (((x.ndim - 1,), (1,)), ((), ())))
    return y if bias is None else y + bias.astype(x.dtype)


class Linear(eqx.Module):
    """A linear map of the last axis, ``x @ weight.T + bias``; the weight is (out, in)."""

    weight: Array
    bias: Array | None

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        self.weight = parameter(outputs, inputs)
        self.bias = parameter(outputs) if bias else None

    def __call__(self, x: Array) -> Array:
        """Map (..., in) to (..., out)."""
        return linear(x, self.weight, self.bias)


class LayerNorm(eqx.Module):
    """A norm that gives the last axis mean 0 and variance 1, and then scales and shifts it."""

    weight: Array
    bias: Array
    eps: float = eqx.field(static=True)

    def __init__(self, size: int, eps: float) -> None:
        self.weight = parameter(size)
        self.bias = parameter(size)
        self.eps = eps

    def __call__(self, x: Array) -> Array:
        """Map (..., size) to the same shape."""
        centred = x - jnp.mean(x, axis=-1, keepdims=True)
        variance = jnp.mean(jnp.square(centred), axis=-1, keepdims=True)
        normalised = centred * lax.rsqrt(variance + self.eps)
        return normalised * self.weight.astype(x.dtype) + self.bias.astype(x.dtype)


def split_heads(x: Array, tokens: int, heads: int) -> Array:
    """Map (batch * tokens, heads * d) to (batch, heads, tokens, d)."""
    return x.reshape(-1, tokens, heads, x.shape[-1] // heads).transpose(0, 2, 1, 3)


def merge_heads(x: Array) -> Array:
    """Map (batch, heads, tokens, d) to (batch * tokens, heads * d): undo ``split_heads``."""
    return x.transpose(0, 2, 1, 3).reshape(-1, x.shape[1] * x.shape[3])


def attention(q: Array, k: Array, v: Array, bias: Array | None = None) -> Array:
    """Return ``softmax(q k^T / sqrt(d) + bias) v``.

    Args:
        q: the queries, (batch, heads, tokens, d).
        k: the keys, of the same shape.
        v: the values, of the same shape.
        bias: broadcasts to (batch, heads, tokens, tokens).
    """
    scores = (q @ k.swapaxes(-1, -2)) * (1 / math.sqrt(q.shape[-1]))
    if bias is not None:
        scores = scores + bias
    return jax.nn.softmax(scores, axis=-1) @ v
