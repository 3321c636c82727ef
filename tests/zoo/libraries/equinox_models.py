"""Models of Equinox, and of its internal loops and checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from tests.coverage.example import f, i
from tests.models import vit
from tests.zoo.model import made, of

KEYS = list(jax.random.split(jax.random.key(0), 8))


class _Recurrent(eqx.Module):
    """A cell in a scan over a sequence, as in Equinox's own examples."""

    cell: Any
    head: eqx.nn.Linear

    def __call__(self, x: Array) -> Array:
        start = jnp.zeros(self.cell.hidden_size)
        state: Any = (start, start) if isinstance(self.cell, eqx.nn.LSTMCell) else start
        state, _ = jax.lax.scan(lambda s, each: (self.cell(each, s), None), state, x)
        return self.head(state[0] if isinstance(state, tuple) else state)


class _Decoder(eqx.Module):
    """A block with rotary positions, RMS norms and a gated MLP, for one sequence."""

    norms: list[eqx.nn.RMSNorm]
    attention: eqx.nn.MultiheadAttention
    rope: eqx.nn.RotaryPositionalEmbedding
    gate: eqx.nn.Linear
    up: eqx.nn.Linear
    down: eqx.nn.Linear

    def __init__(self) -> None:
        self.norms = [eqx.nn.RMSNorm(16) for _ in range(2)]
        self.attention = eqx.nn.MultiheadAttention(2, 16, key=KEYS[0])
        self.rope = eqx.nn.RotaryPositionalEmbedding(8)
        self.gate, self.up = (eqx.nn.Linear(16, 32, use_bias=False, key=k) for k in KEYS[1:3])
        self.down = eqx.nn.Linear(32, 16, use_bias=False, key=KEYS[3])

    def __call__(self, x: Array) -> Array:
        y = jax.vmap(self.norms[0])(x)
        mask = jnp.tril(jnp.ones((x.shape[0], x.shape[0]), bool))

        def turned(q: Array, k: Array, v: Array) -> tuple[Array, Array, Array]:
            turn = jax.vmap(self.rope, in_axes=1, out_axes=1)
            return turn(q), turn(k), v

        x = x + self.attention(y, y, y, mask, process_heads=turned)
        y = jax.vmap(self.norms[1])(x)
        gated = jax.nn.silu(jax.vmap(self.gate)(y)) * jax.vmap(self.up)(y)
        return x + jax.vmap(self.down)(gated)


def _cnn() -> Callable[..., Any]:
    layers: list[Any] = [
        eqx.nn.Conv2d(1, 3, kernel_size=4, key=KEYS[0]),
        eqx.nn.MaxPool2d(kernel_size=2),
        eqx.nn.Lambda(jax.nn.relu),
        eqx.nn.Lambda(jnp.ravel),
        eqx.nn.Linear(3 * 24 * 24, 10, key=KEYS[1]),
        eqx.nn.Lambda(jax.nn.log_softmax),
    ]
    return jax.vmap(eqx.nn.Sequential(layers))


def _batch_norm() -> Callable[..., Any]:
    layers: list[Any] = [
        eqx.nn.Conv2d(3, 8, 3, padding=1, key=KEYS[0]),
        eqx.nn.BatchNorm(8, "batch", mode="batch"),
        eqx.nn.Lambda(jax.nn.relu),
    ]
    model, state = eqx.nn.make_with_state(eqx.nn.Sequential)(layers)
    model = eqx.nn.inference_mode(model)
    return jax.vmap(lambda x: model(x, state)[0], axis_name="batch")


def _language() -> Callable[..., Any]:
    embedding = eqx.nn.Embedding(20, 16, key=KEYS[4])
    decoder, head = _Decoder(), eqx.nn.Linear(16, 20, key=KEYS[5])
    return jax.vmap(lambda t: jax.vmap(head)(decoder(jax.vmap(embedding)(t))))


def _upsample() -> Callable[..., Any]:
    layers: list[Any] = [
        eqx.nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, key=KEYS[0]),
        eqx.nn.Lambda(eqx.nn.PReLU()),
        eqx.nn.AdaptiveAvgPool2d(5),
        eqx.nn.Lambda(jnp.tanh),
    ]
    return jax.vmap(eqx.nn.Sequential(layers))


def _group_norm(groups: int) -> Callable[[], Callable[..., Any]]:
    return lambda: jax.vmap(eqx.nn.GroupNorm(groups, 16))


def _checked(x: Array) -> Any:
    return eqx.error_if(x, jnp.any(x < -1e6), "negative")


def _iterated(x: Array) -> Any:
    """Find a square root in a bounded loop of Equinox."""

    def step(y: Array) -> Any:
        return 0.5 * (y + x / y)

    def unfinished(y: Array) -> Array:
        return jnp.abs(y * y - x) > 1e-5 * x

    return eqx.internal.while_loop(unfinished, step, x, kind="bounded", max_steps=32)


MODELS = [
    made("MLP", lambda: jax.vmap(eqx.nn.MLP(4, 2, 16, 2, key=KEYS[0])), f(3, 4), batch=True),
    made("CNN", _cnn, f(2, 1, 28, 28), batch=True),
    made("convolution and batch norm", _batch_norm, f(2, 3, 8, 8), batch=True),
    made(
        "GRU in a scan",
        lambda: jax.vmap(
            _Recurrent(eqx.nn.GRUCell(3, 8, key=KEYS[0]), eqx.nn.Linear(8, 1, key=KEYS[1]))
        ),
        f(2, 6, 3),
        batch=True,
    ),
    made(
        "LSTM in a scan",
        lambda: jax.vmap(
            _Recurrent(eqx.nn.LSTMCell(3, 8, key=KEYS[0]), eqx.nn.Linear(8, 1, key=KEYS[1]))
        ),
        f(2, 6, 3),
        batch=True,
    ),
    made("Llama-style block", lambda: jax.vmap(_Decoder()), f(2, 6, 16), batch=True),
    made("language model", _language, i(2, 6, high=20), batch=True),
    made(
        "ViT, narrow",
        lambda: vit.build(vit.Config(image=32, width=24, depth=2, heads=2, classes=10)),
        f(2, 3, 32, 32),
        batch=True,
    ),
    made("transposed convolution", _upsample, f(2, 4, 6, 6), batch=True),
    *(made(f"group norm, {n} groups", _group_norm(n), f(2, 16, 8, 8)) for n in (1, 4, 16)),
    made("layer norm of a map", lambda: jax.vmap(eqx.nn.LayerNorm((16, 8, 8))), f(2, 16, 8, 8)),
    made("layer norm of one token", lambda: jax.vmap(eqx.nn.LayerNorm(64)), f(1, 64)),
    made("RMS norm of one token", lambda: jax.vmap(eqx.nn.RMSNorm(64)), f(1, 64)),
    of("error_if", _checked, f(2, 3), batch=True),
    of("bounded while loop", _iterated, f(low=1.0, high=9.0)),
]
