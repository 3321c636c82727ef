"""Models of Flax Linen."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from tests.coverage.example import Arg, f, i
from tests.models import gpt2
from tests.zoo.model import Model, made


class _MLP(nn.Module):
    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.BatchNorm(use_running_average=True)(nn.Dense(16)(x))
        return nn.Dense(3)(nn.Dropout(0.1, deterministic=True)(nn.gelu(x)))


class _CNN(nn.Module):
    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.avg_pool(nn.relu(nn.Conv(8, (3, 3))(x)), (2, 2), strides=(2, 2))
        x = nn.max_pool(nn.relu(nn.Conv(16, (3, 3))(x)), (2, 2), strides=(2, 2))
        return nn.Dense(10)(x.reshape(x.shape[0], -1))


class _ConvNeXt(nn.Module):
    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = nn.LayerNorm()(nn.Conv(16, (7, 7), feature_group_count=16)(x))
        y = nn.Dense(16)(nn.gelu(nn.Dense(64)(y)))
        return x + self.param("scale", nn.initializers.constant(0.1), (16,)) * y


class _Encoder(nn.Module):
    """A block of BERT: self-attention with a mask of padding, each norm after its sum."""

    @nn.compact
    def __call__(self, x: Array, mask: Array) -> Any:
        attention = nn.MultiHeadDotProductAttention(4, deterministic=True)
        x = nn.LayerNorm()(x + attention(x, mask=nn.make_attention_mask(mask, mask)))
        return nn.LayerNorm()(x + nn.Dense(16)(nn.gelu(nn.Dense(64)(x))))


class _SqueezeExcite(nn.Module):
    """A mobile block whose weights of channels come from the mean of the whole map."""

    size: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = nn.swish(nn.Conv(24, (1, 1))(x))
        y = nn.swish(nn.Conv(24, (3, 3), feature_group_count=24)(y))
        mean = nn.avg_pool(y, (self.size, self.size), strides=(self.size, self.size))
        return x + nn.Conv(8, (1, 1))(y * nn.sigmoid(nn.Conv(24, (1, 1))(mean)))


class _Classifier(nn.Module):
    """The last state of an LSTM over embedded tokens."""

    @nn.compact
    def __call__(self, tokens: Array) -> Array:
        x = nn.Embed(20, 8)(tokens)
        carry, _ = nn.RNN(nn.OptimizedLSTMCell(16), return_carry=True)(x)
        return nn.Dense(2)(carry[1])


class _Mixer(nn.Module):
    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.Conv(12, (4, 4), strides=(4, 4))(x).reshape(x.shape[0], -1, 12)
        y = jnp.swapaxes(nn.LayerNorm()(x), 1, 2)
        x = x + jnp.swapaxes(nn.Dense(4)(nn.gelu(nn.Dense(8)(y))), 1, 2)
        x = x + nn.Dense(12)(nn.gelu(nn.Dense(24)(nn.LayerNorm()(x))))
        return nn.Dense(10)(x.mean(1))


class _Upsample(nn.Module):
    """A step of a U-Net: down, up by nearest neighbours, and a skip connection."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = nn.silu(nn.GroupNorm(4)(nn.Conv(8, (3, 3), strides=(2, 2))(x)))
        up = jax.image.resize(y, (*x.shape[:3], 8), "nearest")
        return nn.Conv(3, (3, 3))(jnp.concatenate([x, up], -1))


def _model(name: str, module: nn.Module, *inputs: Arg) -> Model:
    def make() -> Callable[..., Any]:
        arrays = [jnp.zeros(arg.shape, "int32" if arg.kind == "i" else "float32") for arg in inputs]
        variables = jax.jit(module.init)(jax.random.key(0), *arrays)
        return functools.partial(module.apply, variables)

    return made(name, make, *inputs, batch=True)


def _gpt2() -> Callable[..., Any]:
    module = gpt2.GPT2(gpt2.Config(width=24, heads=2, tokens=40, positions=32))
    variables = jax.jit(module.init)(jax.random.key(0), jnp.zeros((1, 16), jnp.int32))
    return functools.partial(module.apply, variables)


MODELS = [
    _model("MLP with dropout and batch norm", _MLP(), f(2, 8)),
    _model("CNN", _CNN(), f(2, 16, 16, 1)),
    _model("ConvNeXt block", _ConvNeXt(), f(2, 9, 9, 16)),
    _model("BERT block", _Encoder(), f(2, 6, 16), i(2, 6, high=2)),
    _model("squeeze and excite", _SqueezeExcite(7), f(2, 7, 7, 8)),
    _model("LSTM classifier", _Classifier(), i(2, 6, high=20)),
    _model("MLP-Mixer", _Mixer(), f(2, 8, 8, 3)),
    _model("U-Net step", _Upsample(), f(2, 8, 8, 3)),
    _model(
        "LSTM forwards, GRU backwards",
        nn.Bidirectional(nn.RNN(nn.LSTMCell(4)), nn.RNN(nn.GRUCell(4))),
        f(2, 5, 3),
    ),
    made("GPT-2, narrow", _gpt2, i(2, 16, high=40), batch=True),
]
