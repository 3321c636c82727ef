"""Functions of JAX alone, in the spellings of libraries that cannot be installed here.

Each spelling once failed, or became a larger graph than it should.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tests.coverage.example import b, f, i
from tests.zoo.model import of

HEADS, SIZE, TOKENS = 3, 8, 10
WIDTH = HEADS * SIZE
QKV = f(2, TOKENS, 3 * WIDTH)


def _attention(q: Array, k: Array, v: Array) -> Array:
    scores = jnp.einsum("...hqd,...hkd->...hqk", q, k) / jnp.sqrt(SIZE)
    return jnp.einsum("...hqk,...hkd->...hqd", jax.nn.softmax(scores, -1), v)


def _timm(x: Array) -> Array:
    """Attend in one sample, whose queries, keys and values are unpacked as in timm."""
    q, k, v = x.reshape(TOKENS, 3, HEADS, SIZE).transpose(1, 2, 0, 3)
    return _attention(q, k, v).transpose(1, 0, 2).reshape(TOKENS, WIDTH)


def _timm_indexed(x: Array) -> Array:
    z = x.reshape(TOKENS, 3, HEADS, SIZE).transpose(1, 2, 0, 3)
    return _attention(z[0], z[1], z[2]).transpose(1, 0, 2).reshape(TOKENS, WIDTH)


def _timm_split(x: Array) -> Array:
    q, k, v = (t.reshape(TOKENS, HEADS, SIZE).transpose(1, 0, 2) for t in jnp.split(x, 3, -1))
    return _attention(q, k, v).transpose(1, 0, 2).reshape(TOKENS, WIDTH)


def _unpacked(x: Array) -> tuple[Array, Array, Array]:
    q, k, v = x.reshape(-1, TOKENS, 3, HEADS, SIZE).transpose(2, 0, 3, 1, 4)
    return q, k, v


def _joined(y: Array) -> Array:
    return y.transpose(0, 2, 1, 3).reshape(-1, TOKENS, WIDTH)


def _batched(x: Array) -> Array:
    return _joined(_attention(*_unpacked(x)))


def _batched_matmul(x: Array) -> Array:
    q, k, v = _unpacked(x)
    return _joined(jax.nn.softmax((q * SIZE**-0.5) @ k.transpose(0, 1, 3, 2), -1) @ v)


def _batched_swapaxes(x: Array) -> Array:
    q, k, v = _unpacked(x)
    return _joined(jax.nn.softmax(q @ jnp.swapaxes(k, -2, -1) * SIZE**-0.5, -1) @ v)


def _head_mask(weights: Array, v: Array) -> Array:
    """Multiply attention by a mask of heads, as the Flax models of transformers do."""
    masked = jnp.einsum("...hqk,h->...hqk", jax.nn.softmax(weights), jnp.ones(4))
    return jnp.einsum("...hqk,...khd->...qhd", masked, v)


def _keras_masked(q: Array, k: Array, v: Array, mask: Array) -> Array:
    scores = jnp.einsum("bqhd,bkhd->bhqk", q * 0.35, k)
    shares = jax.nn.softmax(jnp.where(mask[:, None], scores, -3.4e38))
    return jnp.einsum("bhqk,bkhd->bqhd", jnp.where(mask[:, None], shares, 0.0), v)


def _gemma(q: Array, k: Array, v: Array, mask: Array) -> Array:
    scores = jnp.einsum("BTNH,BSNH->BTNS", q, k)
    scores = jnp.where(mask[:, :, None], scores, -2.38e38)
    return jnp.einsum("BTNS,BSNH->BTNH", jax.nn.softmax(scores), v)


MASKED = (f(2, 12, 4, 8), f(2, 12, 4, 8), f(2, 12, 4, 8), b(2, 12, 12))

_ANGLES = np.arange(12)[:, None] * (1 / 10000 ** (np.arange(0, SIZE, 2) / SIZE))[None]
_TABLES = [
    np.concatenate([table(_ANGLES)] * 2, -1)[None, :, None].astype(np.float32)
    for table in (np.cos, np.sin)
]


def _rotated(x: Array) -> Array:
    first, second = jnp.split(x, 2, -1)
    return jnp.concatenate([-second, first], -1)


def _rope_tables(x: Array) -> Array:
    return x * _TABLES[0] + _rotated(x) * _TABLES[1]


def _rope_slices(x: Array) -> Array:
    half = jnp.concatenate((-x[..., SIZE // 2 :], x[..., : SIZE // 2]), -1)
    return x * _TABLES[0] + half * _TABLES[1]


def _angles(x: Array) -> Array:
    return jnp.arange(x.shape[1])[:, None] * (1 / 10000 ** (jnp.arange(0, SIZE, 2) / SIZE))[None]


def _rope_computed(x: Array) -> Array:
    table = jnp.concatenate([_angles(x)] * 2, -1)[None, :, None]
    return x * jnp.cos(table) + _rotated(x) * jnp.sin(table)


def _rope_halves(x: Array) -> Array:
    sin, cos = (table(_angles(x))[None, :, None] for table in (jnp.sin, jnp.cos))
    first, second = jnp.split(x, 2, -1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], -1)


ROPE = f(2, 12, 4, SIZE)

_RANDOM = np.random.default_rng(0)
SCALE, SHIFT, MEAN = (_RANDOM.normal(size=64).astype(np.float32) for _ in range(3))
VARIANCE = np.abs(MEAN) + 0.5
EPSILON = 1e-6


def _inverse_rms(x: Array) -> Array:
    return jnp.sqrt(jnp.mean(x**2, -1, keepdims=True) + EPSILON)


def _keras_layer_norm(x: Array) -> Array:
    mean = jnp.mean(x, -1, keepdims=True)
    variance = jnp.mean(jnp.square(x), -1, keepdims=True) - jnp.square(mean)
    inverse = jax.lax.rsqrt(variance + EPSILON) * SCALE.reshape(1, 1, -1)
    return x * inverse + (-mean * inverse + SHIFT.reshape(1, 1, -1))


def _keras_layer_norm_variance(x: Array) -> Array:
    inverse = jax.lax.rsqrt(jnp.var(x, -1, keepdims=True) + EPSILON) * SCALE
    return x * inverse + (-jnp.mean(x, -1, keepdims=True) * inverse + SHIFT)


def _layer_norm_of_channels(x: Array) -> Array:
    mean = x.mean(1, keepdims=True)
    variance = jnp.mean(jnp.square(x - mean), 1, keepdims=True)
    scaled = (x - mean) * jax.lax.rsqrt(variance + EPSILON) * SCALE[:, None, None]
    return scaled + SHIFT[:, None, None]


KERNEL = _RANDOM.normal(size=(3, 3, 3, 64)).astype(np.float32)


def _convolved(x: Array, padding: Any = "SAME", strides: tuple[int, int] = (1, 1)) -> Array:
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, jnp.asarray(KERNEL), strides, padding, dimension_numbers=layout
    )


def _keras_batch_norm(x: Array) -> Array:
    shape = (1, 1, 1, -1)
    inverse = jax.lax.rsqrt(VARIANCE.reshape(shape) + 1e-3) * SCALE.reshape(shape)
    return x * inverse + (-MEAN.reshape(shape) * inverse + SHIFT.reshape(shape))


def _flax_batch_norm(x: Array) -> Array:
    return (x - MEAN) * (jax.lax.rsqrt(VARIANCE + 1e-3) * SCALE) + SHIFT


def _haiku_batch_norm(x: Array) -> Array:
    inverse = SCALE * jax.lax.rsqrt(VARIANCE.reshape(1, 1, 1, -1) + 1e-3)
    return (x - MEAN.reshape(1, 1, 1, -1)) * inverse + SHIFT


IMAGE = f(2, 8, 8, 3)
AROUND = ((0, 0), (1, 1), (1, 1), (0, 0))


def _chain(step: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Return a function that multiplies by ten steps from one, none of which needs the input."""

    def fn(x: Array) -> Array:
        value = jnp.float32(1)
        for _ in range(10):
            value = step(value)
        return x * value

    return fn


def _below(x: Array) -> Array:
    return jnp.nextafter(x, jnp.float32(0))


class _LazyModule:
    """A module that is imported when an attribute is read, and is not installed."""

    def __getattr__(self, name: str) -> Any:
        raise ImportError("a module that is not installed")


_lazy = _LazyModule()


class _Layer:
    """A class that is no pytree, in whose globals is a lazy module."""

    def __init__(self) -> None:
        self.weight = jnp.asarray(KERNEL[0, 0])

    def __call__(self, x: Array) -> Array:
        return x @ self.weight if x.ndim else _lazy.matmul(x, self.weight)


_layer = _Layer()

MODELS = [
    of("timm qkv, unpacked", jax.vmap(_timm), QKV, batch=True),
    of("timm qkv, indexed", jax.vmap(_timm_indexed), QKV, batch=True),
    of("timm qkv, split", jax.vmap(_timm_split), QKV, batch=True),
    of("batched qkv, einsum", _batched, QKV, batch=True),
    of("batched qkv, matmul", _batched_matmul, QKV, batch=True),
    of("batched qkv, swapaxes", _batched_swapaxes, QKV, batch=True),
    of("head mask", _head_mask, f(2, 4, 5, 5), f(2, 5, 4, 8), batch=True),
    of("Keras masked attention", _keras_masked, *MASKED, batch=True),
    of("Gemma attention", _gemma, *MASKED, batch=True),
    of("outer product", lambda x, y: jnp.einsum("bi,bj->bij", x, y), f(2, 4), f(2, 5), batch=True),
    of("RoPE, constant tables", _rope_tables, ROPE, batch=True),
    of("RoPE, slices", _rope_slices, ROPE, batch=True),
    of("RoPE, computed tables", _rope_computed, ROPE, batch=True),
    of("RoPE, halves", _rope_halves, ROPE, batch=True),
    of("RMS norm, w * x / rms", lambda x: SCALE * x / _inverse_rms(x), f(2, 7, 64), batch=True),
    of("RMS norm, (x / rms) * w", lambda x: x / _inverse_rms(x) * SCALE, f(2, 7, 64), batch=True),
    of("RMS norm, w * (x / rms)", lambda x: SCALE * (x / _inverse_rms(x)), f(2, 7, 64), batch=True),
    of("Keras layer norm", _keras_layer_norm, f(2, 7, 64), batch=True),
    of("Keras layer norm, variance", _keras_layer_norm_variance, f(2, 7, 64), batch=True),
    of("layer norm of channels", _layer_norm_of_channels, f(2, 64, 8, 8), batch=True),
    of("Keras batch norm", lambda x: _keras_batch_norm(_convolved(x)), IMAGE, batch=True),
    of("Flax batch norm", lambda x: _flax_batch_norm(_convolved(x)), IMAGE, batch=True),
    of("Haiku batch norm", lambda x: _haiku_batch_norm(_convolved(x)), IMAGE, batch=True),
    of("pad and convolution", lambda x: _convolved(jnp.pad(x, AROUND), "VALID", (2, 2)), IMAGE),
    of(
        "lax.pad and convolution",
        lambda x: _convolved(jax.lax.pad(x, 0.0, [(*p, 0) for p in AROUND]), "VALID", (2, 2)),
        IMAGE,
        batch=True,
    ),
    of("nextafter", lambda x: jnp.nextafter(x, 1.0), f(3), batch=True),
    of("chain of nextafter", _chain(_below), f(3), batch=True),
    of("chain of jit", _chain(jax.jit(_below)), f(3), batch=True),
    of("chain of copies", _chain(lambda x: jnp.copy(jax.lax.stop_gradient(_below(x)))), f(3)),
    of("dead random key", lambda x: (jax.random.split(jax.random.key(0)), x * 2)[1], f(3)),
    of("constant noise", lambda x: x * jax.random.normal(jax.random.PRNGKey(0), (4,)), f(2, 4)),
    of("constant bits", lambda x: x * jax.random.bernoulli(jax.random.key(1), 0.5, (3,)), f(2, 3)),
    of("segment sum", lambda x, s: jax.ops.segment_sum(x, s, 5), f(12, 4), i(12)),
    of("lazy module in the globals", lambda x: _layer(x * 2), f(2, 3), batch=True),
]
