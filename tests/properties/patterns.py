"""Functions that rewrite rules recognise, by the rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

N = 4
"""The size of nearly all axes."""

_RNG = np.random.default_rng(0)
W = _RNG.standard_normal((N, N), dtype=np.float32) / 2
WIDE = _RNG.standard_normal((N, 4 * N), dtype=np.float32) / 2
KERNEL: Any = _RNG.standard_normal((3, 3, N, N), dtype=np.float32) / 4
MASK = np.tril(np.ones((N, N), bool))


class Pattern(NamedTuple):
    """A function that a rule recognises.

    Attributes:
        function: takes arrays of the shapes below.
        shapes: their shapes; ``i`` in front stands for small integers, ``b`` for booleans.
        states: the number of arguments that are the state of a scan, of which it is the body; the
            next argument is a row of an array of N rows.
        options: options of the conversion that the rule needs.
    """

    function: Callable[..., Any]
    shapes: Sequence[tuple[Any, ...]]
    states: int = 0
    options: dict[str, Any] = {}  # noqa: RUF012  never changed


X1, X2, X3, X4 = (N,), (N, N), (N, N, N), (N, N, N, N)


def _normal(x: Any, axes: Any) -> Any:
    centred = x - x.mean(axes, keepdims=True)
    return centred * lax.rsqrt((centred * centred).mean(axes, keepdims=True) + 1e-5)


def _keras_group_norm(x: Any, g: Any, b: Any) -> Any:
    """Normalise groups as Keras does."""
    y, beside = x.reshape(N, N, N, 2, 2), (1, 1, 1, 2, 2)
    mean, variance = y.mean((1, 2, 4), keepdims=True), y.var((1, 2, 4), keepdims=True)
    inverse = lax.rsqrt(variance + 1e-3) * g.reshape(beside)
    return (y * inverse + (b.reshape(beside) - mean * inverse)).reshape(x.shape)


def _keras_layer_norm(x: Any, g: Any, b: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    inverse = lax.rsqrt(x.var(-1, keepdims=True) + 1e-3) * g
    return x * inverse + (-mean * inverse + b)


def _keras_batch_norm(x: Any, m: Any, v: Any, g: Any, b: Any) -> Any:
    inverse = lax.rsqrt(v + 1e-3) * g
    return x * inverse + (-m * inverse + b)


def _attention(q: Any, k: Any, v: Any, bias: Any) -> Any:
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / 2.0 + bias
    shares = jax.nn.softmax(jnp.where(MASK, scores, np.finfo(np.float32).min), axis=-1)
    return jnp.einsum("bhqk,bkhd->bqhd", shares, v)


def _fused(x: Any) -> Any:
    q, k, v = x.reshape(N, N, 3, 2, 2).transpose(2, 0, 3, 1, 4)
    shares = jax.nn.softmax(q @ k.swapaxes(-1, -2) / 2.0, axis=-1)
    return (shares @ v).swapaxes(1, 2).reshape(N, N, N)


def _grouped(q: Any, k: Any, v: Any, mask: Any) -> Any:
    q, k, v = q.reshape(N, N, 2, 2, N), k[:, :, :2], v[:, :, :2]
    scores = jnp.where(mask > 0, jnp.einsum("btkgh,bskh->bkgts", q, k), -1e9)
    shares = jnp.where(mask > 0, jax.nn.softmax(scores, axis=-1), 0.0)
    return jnp.einsum("bkgts,bskh->btkgh", shares, v).reshape(N, N, N, N)


def _by_head(q: Any, k: Any, v: Any, factors: Any) -> Any:
    shares = jax.nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, k), axis=-1)
    return jnp.einsum("bhqk,bkhd->bqhd", jnp.einsum("bhqk,h->bhqk", shares, factors), v)


def _of_one_token(q: Any, k: Any, v: Any) -> Any:
    scores = jnp.einsum("bqhd,bkhd->bhqk", q[:, :1], k) / 2.0
    return jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores, axis=-1), v)


def _of_doubled_tables(x: Any, angles: Any) -> Any:
    angles = jnp.concatenate([angles, angles], axis=-1)[None, :, None]
    left, right = jnp.split(x, 2, axis=-1)
    turned = jnp.stack([-right, left], axis=-2).reshape(x.shape)
    return x * jnp.cos(angles) + turned * jnp.sin(angles)


def _rotated(x: Any, cos: Any, sin: Any) -> Any:
    left, right = jnp.split(x, 2, axis=-1)
    return x * cos[None, None] + jnp.concatenate([-right, left], -1) * sin[None, None]


def _conv(x: Any) -> Any:
    return lax.conv_general_dilated(
        x, KERNEL, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _window(x: Any, init: float, function: Any) -> Any:
    return lax.reduce_window(x, init, function, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def _lstm(h: Any, c: Any, x: Any) -> Any:
    i, f, g, o = jnp.split(x @ WIDE + h @ WIDE[::-1] + WIDE[0], 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def _gru(h: Any, x: Any) -> Any:
    r = jax.nn.sigmoid(x @ W + h @ W.T + W[0])
    z = jax.nn.sigmoid(x @ W[::-1] + h @ W[:, ::-1] + W[1])
    n = jnp.tanh(x @ W.T + W[2] + r * (h @ W + W[3]))
    return (1 - z) * n + z * h


PATTERNS: dict[str, list[Pattern]] = {
    "activations.celu": [Pattern(lambda x: jax.nn.celu(x, 0.7), [X2])],
    "activations.clip": [Pattern(lambda x: jnp.minimum(jnp.maximum(x, -0.5), 0.7), [X2])],
    "activations.elu": [Pattern(lambda x: jax.nn.elu(x, 0.7), [X2])],
    "activations.gelu": [
        Pattern(lambda x: jax.nn.gelu(x, approximate=True), [X2]),
        Pattern(lambda x: jax.nn.gelu(x, approximate=False), [X2]),
    ],
    "activations.hard_sigmoid": [Pattern(jax.nn.hard_sigmoid, [X2])],
    "activations.hard_swish": [Pattern(jax.nn.hard_swish, [X2])],
    "activations.leaky_relu": [Pattern(lambda x: jnp.where(x >= 0, x, 0.2 * x), [X2])],
    "activations.mish": [Pattern(jax.nn.mish, [X2])],
    "activations.prelu": [Pattern(lambda x, a: jnp.where(x >= 0, x, a * x), [X2, X1])],
    "activations.relu": [Pattern(lambda x: jnp.maximum(x, 0.0), [X2])],
    "activations.selu": [Pattern(jax.nn.selu, [X2])],
    "activations.softplus": [Pattern(jax.nn.softplus, [X2])],
    "activations.softsign": [Pattern(lambda x: x / (1 + jnp.abs(x)), [X2])],
    "activations.swish": [Pattern(lambda x: x * jax.nn.sigmoid(1.7 * x), [X2])],
    "arithmetic.floor_division": [Pattern(lambda x: x // 3, [("i", *X2)])],
    "arithmetic.known_choice": [
        Pattern(lambda x, y: jnp.where(np.ones((N, N), bool), x, y), [X2, X2])
    ],
    "arithmetic.neutral": [Pattern(lambda x, y: ((x + 0.0) * 1.0 - y * 1.0) / 1.0, [X2, X1])],
    "arithmetic.reduce_log_sum_exp": [
        Pattern(lambda x: jax.nn.logsumexp(x, axis=-1), [X2]),
        Pattern(lambda x: jnp.log(jnp.exp(x).sum(0)), [X3]),
    ],
    "arithmetic.reduce_mean": [
        Pattern(lambda x: x.sum(-1) / x.shape[-1], [X2]),
        Pattern(lambda x: x.sum((0, 2), keepdims=True) / 16.0, [X3]),
    ],
    "attention.attention": [
        Pattern(_attention, [X4, X4, X4, X2]),
        Pattern(_fused, [(N, N, 3 * N)]),
        Pattern(_grouped, [X4, X4, X4, X2]),
        Pattern(_by_head, [X4, X4, X4, X1]),
        Pattern(_of_one_token, [X4, X4, X4]),
    ],
    "attention.rotary_embedding": [
        Pattern(_rotated, [X4, X2, X2]),
        Pattern(_of_doubled_tables, [X4, (N, 2)]),
    ],
    "attention.softmax": [Pattern(lambda x: jax.nn.softmax(x, axis=-1), [X3])],
    "images.conv_bias": [Pattern(lambda x, b: _conv(x) + b, [X4, X1])],
    "images.conv_pads": [
        Pattern(lambda x: _conv(jnp.pad(x, ((0, 0), (1, 1), (2, 0), (0, 0)))), [X4]),
    ],
    "images.depth_to_space": [
        Pattern(
            lambda x: x.reshape(N, 2, 2, 1, N, N).transpose(0, 3, 4, 1, 5, 2).reshape(N, 1, 8, 8),
            [X4],
        )
    ],
    "images.resize": [Pattern(lambda x: jnp.repeat(jnp.repeat(x, 2, 2), 2, 3), [X4])],
    "indexing.gather": [Pattern(lambda x: x[np.array([1, 2, 3])] + x[0], [X2])],
    "indexing.one_hot": [
        Pattern(lambda i: (i[:, None] == jnp.arange(N)).astype(np.float32), [("i", *X1)])
    ],
    "loops.loop_invariant": [
        Pattern(lambda h, x: jnp.tanh(h @ jnp.concatenate([W, -W], 1)[:, :N] + x), [X2, X2], 1)
    ],
    "norms.batch_normalization": [
        Pattern(
            lambda x, m, v, g, b: (x - m) * (lax.rsqrt(v * v + 1e-5) * g) + b,
            [X4, X1, X1, X1, X1],
        ),
        Pattern(lambda x, g, b: _keras_batch_norm(x, W[0], W[1] ** 2, g, b), [X4, X1, X1]),
    ],
    "norms.folded_batch_norm": [
        Pattern(
            lambda x: (x @ W - W[0]) * (lax.rsqrt(W[1] ** 2 + 1e-3) * W[2]) + W[3],
            [X2],
            options={"fold_batch_norm": True},
        )
    ],
    "norms.group_normalization": [
        Pattern(
            lambda x, g: _normal(x.reshape(N, N, N, 2, 2), (1, 2, 4)).reshape(x.shape) * g, [X4, X1]
        ),
        Pattern(
            lambda x, g: (
                _normal(x.reshape(N, 2, 2, N, N), (2, 3, 4)).reshape(x.shape) * g[:, None, None]
            ),
            [X4, X1],
        ),
        Pattern(_keras_group_norm, [X4, X1, X1]),
    ],
    "norms.layer_normalization": [
        Pattern(lambda x, g, b: _normal(x, -1) * g + b, [X3, X1, X1]),
        Pattern(_keras_layer_norm, [X3, X1, X1]),
        Pattern(
            lambda x, g: _normal(jnp.concatenate([x, -x, x[:, ::-1], x + 1], 1), 1) * g[:, None],
            [X3, (4 * N,)],
        ),
        Pattern(
            lambda x, g: (
                (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5) * g
            ),
            [X3, X1],
        ),
    ],
    "norms.rms_normalization": [
        Pattern(lambda x, g: x * lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * g, [X3, X1]),
        Pattern(lambda x, g: g * x / jnp.sqrt((x**2).mean(-1, keepdims=True) + 1e-6), [X3, X1]),
    ],
    "pools.average_pool": [Pattern(lambda x: _window(x, 0.0, lax.add) / 4.0, [X4])],
    "pools.global_average_pool": [Pattern(lambda x: x.mean((2, 3), keepdims=True), [X4])],
    "pools.max_pool": [Pattern(lambda x: _window(x, -np.inf, lax.max), [X4])],
    "products.linear": [
        Pattern(lambda x, b: x @ W.T + b, [X2, X1]),
        Pattern(lambda x, b: x @ W + b, [X3, X1]),
    ],
    "products.transposed_product": [
        Pattern(lambda x, y: (y.swapaxes(1, 2) @ x.swapaxes(1, 2)).swapaxes(1, 2), [X3, X3])
    ],
    "recurrent.gru": [Pattern(_gru, [X2, X2], 1)],
    "recurrent.lstm": [Pattern(_lstm, [X2, X2, X2], 2)],
    "recurrent.rnn": [Pattern(lambda h, x: jnp.tanh(x @ W + h @ W.T + W[0]), [X2, X2], 1)],
    "views.cut_first": [
        Pattern(lambda x: jnp.sin(x.reshape(N, 3, N)[:, 1]) * x.reshape(N, 3, N)[:, 0], [(N, 12)]),
        Pattern(_fused, [(N, N, 3 * N)]),
    ],
    "views.expand": [Pattern(lambda x, y: jnp.broadcast_to(x, (N, N)) * y, [X1, X2])],
    "views.layout": [Pattern(lambda x: _conv(jnp.tanh(_conv(x)) + 1.0), [X4])],
    "views.split": [Pattern(lambda x: x[:, :2] * jnp.sin(x[:, 2:]), [X2])],
    "views.stack": [
        Pattern(lambda x, y: jnp.stack([jnp.sin(x), y], -2).reshape(N, N, 2 * N), [X3, X3])
    ],
    "views.stored_order": [
        Pattern(_conv, [X4]),
        Pattern(lambda x: x * W[:, 0].reshape(N, 1, 1) + W.reshape(N, 1, N) - W.T, [X4]),
    ],
    "views.transpose": [Pattern(lambda x: jnp.sin(x.transpose(1, 2, 0)).transpose(2, 0, 1), [X3])],
    "views.view": [Pattern(lambda x: jnp.sin(x.reshape(N, N, 1, N)).reshape(N * N, N), [X3])],
    "views.view_after": [
        Pattern(lambda x, b: (x.reshape(N * N, N) + b).reshape(N, N, N), [X3, X1]),
        Pattern(
            lambda x: (jnp.sin(x).reshape(N, N, 2, 2) + W[:2, :2]).reshape(N, N, N),
            [X3],
        ),
    ],
}
