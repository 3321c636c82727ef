"""Examples of ``equinox.nn``: layers for one sample, which are mapped over a batch."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from equinox import nn

from tests.coverage.example import Example, Variants, b, f, i, layer, made, using

_HALF = jnp.float16


def _key() -> dict[str, Any]:
    return {"key": jax.random.PRNGKey(0)}


def _new(symbol: str, *arguments: Any, **keywords: Any) -> Any:
    return getattr(nn, symbol)(*arguments, **keywords, **_key())


_plain = functools.partial(made, nn, batch="mapped")
_keyed = functools.partial(made, nn, batch="mapped", always=_key)
_layer = functools.partial(layer, batch="mapped")

_CONV: Variants = (
    {},
    {"use_bias": False},
    {"stride": 2, "padding": 1},
    {"padding": "SAME"},
    {"dilation": 2, "padding": 2},
    {"groups": 2},
)
_POOL: Variants = ({}, {"stride": 2}, {"stride": 2, "padding": 1}, {"stride": 2, "use_ceil": True})
_PADDED: Variants = tuple(
    {"padding": "SAME", "padding_mode": m} for m in ("ZEROS", "REFLECT", "REPLICATE", "CIRCULAR")
)
_SPACE = {1: (9,), 2: (8, 7), 3: (6, 5, 7)}


def _attention(**options: Any) -> Any:
    return lambda: _new("MultiheadAttention", 2, 8, **options)


def _without_state(module: Any, state: Any, x: Any) -> Any:
    return module(x, state)[0]


def _stateful(symbol: str, *arguments: Any, inference: bool, **keywords: Any) -> Any:
    made_, state = nn.make_with_state(getattr(nn, symbol))(*arguments, **keywords)
    ready = nn.inference_mode(made_, inference)
    return functools.partial(_without_state, ready, state)


def _weight_norm(axis: int | None) -> Any:
    return nn.WeightNorm(nn.Linear(4, 3, **_key()), axis=axis)


def _training_norm() -> Any:
    norm, state = nn.make_with_state(nn.BatchNorm)(4, axis_name="batch", mode="batch")
    return lambda x: jax.vmap(norm, (0, None), (0, None), axis_name="batch")(x, state)[0]


class _Counter(nn.StatefulLayer):
    index: nn.StateIndex[jax.Array]

    def __init__(self) -> None:
        self.index = nn.StateIndex(jnp.array(2.0))

    def __call__(self, x: jax.Array, state: nn.State) -> tuple[jax.Array, nn.State]:
        value = state.get(self.index)
        return x * value, state.set(self.index, value + 1)


def _counted(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    counter, state = nn.make_with_state(_Counter)()
    first, state = counter(x, state)
    return first, counter(x, state)[0]


def _shared() -> Any:
    linear = nn.Linear(4, 4, **_key())
    other = nn.Linear(4, 4, key=jax.random.PRNGKey(1))
    shared = nn.Shared((linear, other), where=lambda p: p[1].weight, get=lambda p: p[0].weight)

    def called(x: Any) -> Any:
        first, second = shared()
        return second(first(x))

    return called


_ATTENTION: dict[str, dict[str, Any]] = {
    "": {},
    "biases": dict.fromkeys(
        ("use_query_bias", "use_key_bias", "use_value_bias", "use_output_bias"), True
    ),
    "sizes": {"qk_size": 3, "vo_size": 5, "output_size": 6},
}

EXAMPLES: list[Example] = [
    *_keyed("Linear", (4, 3), f(4), variants=({}, {"use_bias": False}, {"dtype": _HALF})),
    *_keyed("Linear", ("scalar", 3), f(), variants=({"use_bias": True},)),
    *_keyed("Conv1d", (4, 6, 3), f(4, 9), variants=(*_CONV, *_PADDED)),
    *_keyed("Conv2d", (4, 6, 3), f(4, 8, 7), variants=(*_CONV, *_PADDED)),
    *_keyed("Conv2d", (4, 6, 3), f(4, 8, 7, dtype="float16"), variants=({"dtype": _HALF},)),
    *_keyed("Conv3d", (4, 6, 3), f(4, 6, 5, 7), variants=_CONV[:5]),
    *_keyed("Conv", (2, 4, 6, 3), f(4, 8, 7), variants=_CONV),
    *_keyed("ConvTranspose", (2, 4, 6, 3), f(4, 5, 4), variants=({}, {"stride": 2})),
    *[
        e
        for n, space in _SPACE.items()
        for e in _keyed(
            f"ConvTranspose{n}d",
            (4, 6, 3),
            f(4, *space),
            variants=(
                {},
                {"use_bias": False},
                {"stride": 2},
                {"stride": 2, "padding": 1, "output_padding": 1},
                {"dilation": 2},
                {"groups": 2},
                {"padding": "SAME"},
            ),
        )
    ],
    *_keyed(
        "ConvTranspose2d",
        (4, 6, 3),
        f(4, 8, 7),
        variants=({"padding": "SAME", "padding_mode": "CIRCULAR"},),
    ),
    *[
        e
        for n, space in _SPACE.items()
        for k in ("Avg", "Max")
        for e in _plain(f"{k}Pool{n}d", (3,), f(4, *space), variants=_POOL)
    ],
    *[
        e
        for n, space in _SPACE.items()
        for k in ("Avg", "Max")
        for size in (2, 3)
        for e in _plain(
            f"Adaptive{k}Pool{n}d", (), f(4, *space), variants=({"target_shape": size},)
        )
    ],
    *_plain("AdaptivePool", (2, 2, jnp.mean), f(4, 8, 6)),
    *_plain("Pool", (0.0, jax.lax.add, 2, 2), f(4, 8, 6), variants=({}, {"stride": 2})),
    *_keyed("GRUCell", (4, 5), f(4), f(5), variants=({}, {"use_bias": False})),
    *[
        e
        for v in (True, False)
        for e in _layer(
            "LSTMCell",
            using(
                functools.partial(_new, "LSTMCell", 4, 5, use_bias=v),
                lambda cell, x, h, c: cell(x, (h, c)),
            ),
            f(4),
            f(5),
            f(5),
            variant=f"use_bias={v}",
        )
    ],
    *_layer(
        "GRUCell",
        using(
            lambda: _new("GRUCell", 4, 5),
            lambda cell, xs: jax.lax.scan(lambda h, x: (cell(x, h),) * 2, jnp.zeros(5), xs),
        ),
        f(7, 4),
        variant="scanned",
    ),
    *_layer(
        "LSTMCell",
        using(
            lambda: _new("LSTMCell", 4, 5),
            lambda cell, xs: jax.lax.scan(
                lambda h, x: (cell(x, h), None), (jnp.zeros(5), jnp.zeros(5)), xs
            )[0],
        ),
        f(7, 4),
        variant="scanned",
    ),
    *_keyed("Embedding", (7, 4), i(high=7)),
    *_keyed("Embedding", (7, 4), i(high=7), variants=({"dtype": _HALF},)),
    *_plain(
        "LayerNorm",
        ((4,),),
        f(4),
        variants=({}, {"use_bias": False}, {"use_weight": False, "use_bias": False}, {"eps": 0.1}),
    ),
    *_plain("LayerNorm", ((3, 4),), f(3, 4), variants=({"use_bias": True},)),
    *_plain(
        "RMSNorm",
        ((4,),),
        f(4),
        variants=({}, {"use_bias": False}, {"use_weight": False, "use_bias": False}, {"eps": 0.1}),
    ),
    *_plain(
        "GroupNorm", (2, 4), f(4, 5, 6), variants=({}, {"channelwise_affine": False}, {"eps": 0.1})
    ),
    *[
        e
        for mode in ("ema", "batch")
        for e in _layer(
            "BatchNorm",
            functools.partial(_stateful, "BatchNorm", 4, "batch", mode=mode, inference=True),
            f(4, 5),
            variant=f"{mode},inference",
        )
    ],
    *_layer(
        "BatchNorm",
        lambda: _stateful(
            "BatchNorm", 4, "batch", mode="ema", channelwise_affine=False, inference=True
        ),
        f(4),
        variant="no affine,inference",
    ),
    *layer("BatchNorm", _training_norm, f(6, 4), variant="training"),
    *_layer(
        "SpectralNorm",
        lambda: _stateful(
            "SpectralNorm", nn.Linear(4, 3, **_key()), "weight", inference=True, **_key()
        ),
        f(4),
        variant="inference",
    ),
    *_layer(
        "SpectralNorm",
        lambda: _stateful(
            "SpectralNorm", nn.Linear(4, 3, **_key()), "weight", inference=False, **_key()
        ),
        f(4),
        variant="training",
    ),
    *[
        e
        for axis in (0, None)
        for e in _layer(
            "WeightNorm",
            functools.partial(_weight_norm, axis),
            f(4),
            variant=f"axis={axis}",
        )
    ],
    *_layer(
        "Dropout inference_mode",
        lambda: nn.inference_mode(nn.Dropout(0.5)),
        f(4),
        variant="inference",
    ),
    *_layer(
        "Dropout",
        lambda: lambda x: nn.Dropout(0.5)(x, key=jax.random.PRNGKey(0)),
        f(4),
        variant="training",
    ),
    *_plain("Identity", (), f(4)),
    *_plain("Lambda", (jnp.tanh,), f(4)),
    *_plain("PReLU", (), f(4), variants=({}, {"init_alpha": 0.1})),
    *_keyed(
        "MLP",
        (4, 3, 8, 2),
        f(4),
        variants=(
            {},
            {"use_bias": False},
            {"use_final_bias": False},
            {"activation": jnp.tanh, "final_activation": jax.nn.sigmoid},
            {"scan": True},
        ),
    ),
    *_layer(
        "Sequential",
        lambda: nn.Sequential(
            [
                nn.Linear(4, 5, **_key()),
                nn.Lambda(jax.nn.gelu),
                nn.LayerNorm(5),
                nn.Linear(5, 2, **_key()),
            ]
        ),
        f(4),
    ),
    *[
        e
        for v, o in _ATTENTION.items()
        for e in _layer("MultiheadAttention", _attention(**o), f(5, 8), f(5, 8), f(5, 8), variant=v)
    ],
    *_layer("MultiheadAttention", _attention(), f(5, 8), f(5, 8), f(5, 8), b(5, 5), variant="mask"),
    *_layer("MultiheadAttention", _attention(), f(5, 8), f(7, 8), f(7, 8), variant="cross"),
    *_layer(
        "MultiheadAttention",
        using(_attention(), lambda m, q: m(q, q, q, mask=jnp.tril(jnp.ones((5, 5), bool)))),
        f(5, 8),
        variant="causal",
    ),
    *_plain(
        "RotaryPositionalEmbedding",
        (8,),
        f(5, 8),
        variants=({}, {"theta": 500.0}, {"dtype": jnp.float16}),
    ),
    *_layer(
        "RotaryPositionalEmbedding",
        lambda: jax.vmap(nn.RotaryPositionalEmbedding(8), 1, 1),
        f(5, 2, 8),
        variant="heads",
    ),
    *_layer("Shared", _shared, f(4)),
    *_layer("State StateIndex StatefulLayer make_with_state", lambda: _counted, f(4)),
    *_layer(
        "delete_init_state",
        using(
            lambda: nn.make_with_state(nn.BatchNorm)(4, "batch", mode="ema"),
            lambda made_, x: nn.delete_init_state(nn.inference_mode(made_[0]))(x, made_[1])[0],
        ),
        f(4),
    ),
]
