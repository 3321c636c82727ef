"""Models of Haiku."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
from jax import Array

from tests.coverage.example import Arg, f, i
from tests.zoo.model import Model, made


def _model(name: str, call: Callable[..., Any], *inputs: Arg, **options: Any) -> Model:
    """Return a transformed function with random parameters, its states those of the start."""

    def make() -> Callable[..., Any]:
        whole = hk.without_apply_rng(hk.transform_with_state(call))
        arrays = [jnp.zeros(arg.shape, "int32" if arg.kind == "i" else "float32") for arg in inputs]
        params, state = jax.jit(whole.init)(jax.random.key(0), *arrays)
        return lambda *given: whole.apply(params, state, *given)[0]

    return made(name, make, *inputs, batch=True, **options)


def _network(cls: Any, **options: Any) -> Callable[[Array], Any]:
    return lambda x: cls(num_classes=10, **options)(x, is_training=hk.running_init())


def _block(x: Array) -> Array:
    """Run a block of Haiku's own transformer example."""
    causal = jnp.tril(jnp.ones((1, 1, x.shape[1], x.shape[1])))
    start = hk.initializers.VarianceScaling(1.0)
    y = hk.LayerNorm(-1, True, True)(x)
    x = x + hk.MultiHeadAttention(4, 4, w_init=start, model_size=16)(y, y, y, mask=causal)
    y = hk.LayerNorm(-1, True, True)(x)
    return x + hk.Linear(16)(jax.nn.gelu(hk.Linear(64)(y)))


def _unrolled(core: Callable[[], Any]) -> Callable[[Array], Any]:
    def call(x: Array) -> Any:
        cell = core()
        return hk.dynamic_unroll(cell, x, cell.initial_state(x.shape[0]), time_major=False)[0]

    return call


def _language(tokens: Array) -> Any:
    x = hk.Embed(20, 16)(tokens) + hk.get_parameter("positions", (6, 16), init=jnp.ones)
    return hk.Linear(20)(_block(x))


def _autoencoder(x: Array) -> Any:
    x = jax.nn.relu(hk.GroupNorm(2)(hk.Conv2D(8, 3, stride=2)(x)))
    return jax.nn.sigmoid(hk.Conv2DTranspose(3, 3, stride=2)(x))


def _layers(x: Array) -> Any:
    """Stack layers in a scan."""
    return hk.experimental.layer_stack(3)(lambda y: jnp.tanh(hk.Linear(8)(y)))(x)


SEQUENCE = f(2, 6, 5)

MODELS = [
    _model("MLP", lambda x: jax.nn.tanh(hk.nets.MLP([16, 3])(x)), f(2, 8)),
    _model("ResNet18", _network(hk.nets.ResNet18), f(2, 32, 32, 3)),
    _model("ResNet50, second version", _network(hk.nets.ResNet50, resnet_v2=True), f(2, 32, 32, 3)),
    _model("MobileNetV1", _network(hk.nets.MobileNetV1), f(2, 32, 32, 3)),
    _model("transformer block", _block, f(2, 6, 16)),
    _model("language model", _language, i(2, 6, high=20)),
    _model("LSTM", _unrolled(lambda: hk.LSTM(7)), SEQUENCE),
    _model("GRU", _unrolled(lambda: hk.GRU(7)), SEQUENCE),
    _model("convolutional LSTM", _unrolled(lambda: hk.Conv1DLSTM((6,), 4, 3)), f(2, 4, 6, 3)),
    _model("autoencoder", _autoencoder, f(2, 8, 8, 3)),
    _model("stack of layers", _layers, f(2, 8)),
    _model(
        "vector quantiser",
        lambda x: hk.nets.VectorQuantizer(4, 6, 0.25)(x, is_training=False)["quantize"],
        f(5, 4),
    ),
]
