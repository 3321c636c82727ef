"""Models of Flax NNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from tests.coverage.example import Arg, f, i
from tests.models import resnet
from tests.zoo.model import Model, made

TOKENS = i(2, 6, high=20)


class _MLP(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first, self.last = nnx.Linear(8, 16, rngs=rngs), nnx.Linear(16, 3, rngs=rngs)
        self.dropout, self.norm = nnx.Dropout(0.1, rngs=rngs), nnx.BatchNorm(16, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.last(nnx.gelu(self.dropout(self.norm(self.first(x)))))


class _CNN(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first = nnx.Conv(1, 8, (3, 3), rngs=rngs)
        self.second = nnx.Conv(8, 16, (3, 3), strides=2, rngs=rngs)
        self.last = nnx.Linear(16 * 3 * 3, 10, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        x = nnx.avg_pool(nnx.relu(self.first(x)), (2, 2), strides=(2, 2))
        return self.last(nnx.relu(self.second(x)).reshape(x.shape[0], -1))


class _Block(nnx.Module):
    """A block of a transformer with a causal mask."""

    def __init__(self, rngs: nnx.Rngs, width: int = 16) -> None:
        self.norms = nnx.List([nnx.LayerNorm(width, rngs=rngs) for _ in range(2)])
        self.attention = nnx.MultiHeadAttention(4, width, decode=False, rngs=rngs)
        self.up, self.down = (
            nnx.Linear(a, c, rngs=rngs) for a, c in ((width, 4 * width), (4 * width, width))
        )

    def __call__(self, x: Array) -> Array:
        mask = nnx.make_causal_mask(x[..., 0])
        x = x + self.attention(self.norms[0](x), mask=mask)
        return x + self.down(nnx.gelu(self.up(self.norms[1](x))))


class _Language(nnx.Module):
    """A decoder whose embedding is also its head."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(20, 16, rngs=rngs)
        self.blocks = nnx.List([_Block(rngs) for _ in range(2)])
        self.norm = nnx.RMSNorm(16, rngs=rngs)

    def __call__(self, tokens: Array) -> Array:
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.embed.attend(self.norm(x))


class _Autoencoder(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.encoder = nnx.Conv(3, 8, (3, 3), strides=2, rngs=rngs)
        self.norm = nnx.GroupNorm(8, num_groups=2, rngs=rngs)
        self.decoder = nnx.ConvTranspose(8, 3, (3, 3), strides=2, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return nnx.sigmoid(self.decoder(nnx.silu(self.norm(self.encoder(x)))))


class _Scanned(nnx.Module):
    """Two layers whose parameters are stacked, in a scan."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        @nnx.split_rngs(splits=2)
        @nnx.vmap(in_axes=(0,), out_axes=0)
        def stacked(rngs: nnx.Rngs) -> nnx.Linear:
            return nnx.Linear(8, 8, rngs=rngs)

        self.layers = stacked(rngs)

    def __call__(self, x: Array) -> Array:
        @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
        def forward(x: Array, layer: nnx.Linear) -> Array:
            return jnp.tanh(layer(x))

        return forward(x, self.layers)


class _Sharded(nnx.Module):
    """A layer whose parameter and sum are sharded over a mesh, as in jimm's CLIP."""

    def __init__(self, mesh: Any) -> None:
        place = NamedSharding(mesh, PartitionSpec(None, None))
        self.weight = nnx.Param(jax.device_put(jnp.ones((5, 3)), place))

    def __call__(self, x: Array) -> Any:
        y = x @ self.weight[...]
        return y + jax.sharding.reshard(jnp.ones((1, 3)), jax.typeof(y).sharding)


def _evaluated(cls: Callable[..., Any], **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        model = cls(**options, rngs=nnx.Rngs(0))
        model.eval()
        return model

    return make


def _resnet() -> Any:
    model: Any = resnet.build(resnet.Config(width=4, classes=10))
    model.eval()
    return model


def _recurrent(cell: Callable[..., Any]) -> Callable[[], nnx.Module]:
    return lambda: nnx.RNN(cell(5, 7, rngs=nnx.Rngs(0)))


def _bidirectional() -> nnx.Module:
    forward, backward = (nnx.RNN(nnx.GRUCell(5, 7, rngs=nnx.Rngs(seed))) for seed in (0, 1))
    return nnx.Bidirectional(forward, backward)


def _lora() -> nnx.Module:
    return nnx.LoRA(8, 2, 4, base_module=nnx.Linear(8, 4, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(1))


def mesh() -> Any:
    """Return a context in which the mesh has one device."""
    return jax.set_mesh(jax.make_mesh((1,), ("fsdp",), axis_types=(AxisType.Explicit,)))


def _made(name: str, make: Callable[[], Any], *inputs: Arg, **options: Any) -> Model:
    return made(name, make, *inputs, compiled=False, **options)


MODELS = [
    _made("MLP with dropout and batch norm", _evaluated(_MLP), f(2, 8), batch=True),
    _made("CNN", _evaluated(_CNN), f(2, 12, 12, 1), batch=True),
    _made("transformer block", _evaluated(_Block), f(2, 6, 16), batch=True),
    _made("language model", _evaluated(_Language), TOKENS, batch=True),
    _made("convolutional autoencoder", _evaluated(_Autoencoder), f(2, 8, 8, 3), batch=True),
    _made("ResNet-50, narrow", _resnet, f(2, 32, 32, 3), batch=True),
    _made("LSTM", _recurrent(nnx.OptimizedLSTMCell), f(2, 6, 5), batch=True),
    _made("GRU", _recurrent(nnx.GRUCell), f(2, 6, 5), batch=True),
    _made("bidirectional GRU", _bidirectional, f(2, 6, 5), batch=True),
    _made("LoRA", _lora, f(2, 8), batch=True),
    _made("scanned layers", _evaluated(_Scanned), f(2, 8), batch=True),
    _made(
        "group norm of one image",
        lambda: nnx.GroupNorm(64, num_groups=8, rngs=nnx.Rngs(0)),
        f(1, 8, 8, 64),
    ),
    _made(
        "parameter on a mesh",
        lambda: _Sharded(jax.sharding.get_mesh()),
        f(4, 5),
        context=mesh,
    ),
]
