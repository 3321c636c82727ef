"""Examples of ``flax.nnx``: layers, with each set of their constructors' arguments."""

from __future__ import annotations

import functools
from typing import Any

import jax.numpy as jnp
from flax import nnx

from tests.coverage.example import Example, Variants, b, f, i, layer, made, of, present, using
from tests.coverage.libraries.jax_nn import SOFTMAX

_BF16 = {"dtype": jnp.bfloat16, "param_dtype": jnp.bfloat16}
_CONV: Variants = (
    *({"padding": p} for p in ("SAME", "VALID", "CIRCULAR", "REFLECT")),
    {"use_bias": False},
    {"strides": 2},
    {"kernel_dilation": 2},
    {"input_dilation": 2, "padding": ((1, 1), (1, 1))},
    {"padding": ((1, 0), (0, 2))},
    {"padding": 1},
    {"feature_group_count": 2},
    {"dtype": jnp.float16},
)
_NORM: Variants = (
    {},
    {"use_bias": False},
    {"use_scale": False},
    {"epsilon": 0.1},
    {"dtype": jnp.float16},
    {"use_fast_variance": False},
)


def _rngs() -> dict[str, Any]:
    return {"rngs": nnx.Rngs(0)}


def _trained(symbol: str, *arguments: Any, **keywords: Any) -> Any:
    """Return a layer whose running statistics differ from the initial ones."""
    module = getattr(nnx, symbol)(*arguments, **keywords, **_rngs())
    for _, variable in nnx.iter_graph(module):
        if isinstance(variable, nnx.BatchStat):
            ramp = jnp.linspace(0.5, 1.5, variable.size).reshape(variable.shape)
            variable.set_value(ramp.astype(variable.dtype))
    return module


_layers = functools.partial(made, nnx, always=_rngs)


def _attention(**options: Any) -> Any:
    def make() -> Any:
        return nnx.MultiHeadAttention(4, 8, decode=False, **options, **_rngs())

    return make


def _decoder(**options: Any) -> Any:
    attention = nnx.MultiHeadAttention(4, 8, decode=True, **options, **_rngs())
    attention.init_cache((2, 6, 8))
    return attention


def _wrapped(kind: str) -> Any:
    inner = nnx.Linear(4, 3, **_rngs())
    if kind == "WeightNorm":
        return nnx.WeightNorm(inner, **_rngs())
    spectral = nnx.SpectralNorm(inner, **_rngs())
    return functools.partial(lambda m, x: m(x, update_stats=False), spectral)


def _rnn(cell: str, **options: Any) -> Any:
    def make() -> Any:
        types = {"dtype": jnp.result_type(float), "param_dtype": jnp.result_type(float)}
        return nnx.RNN(getattr(nnx, cell)(4, 5, **types, **_rngs()), **options, **_rngs())

    return make


def _cell(symbol: str, **options: Any) -> Any:
    cell = getattr(nnx, symbol)(4, 5, **options, **_rngs())
    if "LSTM" in symbol:
        return functools.partial(lambda cell, c, h, x: cell((c, h), x), cell)
    return cell


class Block(nnx.Module):
    """A block with a residual connection."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.linear = nnx.Linear(4, 4, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        """Return the sum of the input and a layer of it."""
        return x + jnp.tanh(self.linear(x))


def block() -> Block:
    """Return a new block."""
    return Block(nnx.Rngs(0))


class _Sequence(nnx.Module):
    def __init__(self) -> None:
        self.layers = nnx.List([nnx.Linear(4, 4, rngs=nnx.Rngs(k)) for k in range(3)])

    def __call__(self, x: Any) -> Any:
        for each_ in self.layers:
            x = nnx.relu(each_(x))
        return x


class _Named(nnx.Module):
    def __init__(self) -> None:
        self.layers = nnx.Dict(
            a=nnx.Linear(4, 4, rngs=nnx.Rngs(0)), b=nnx.Linear(4, 4, rngs=nnx.Rngs(1))
        )

    def __call__(self, x: Any) -> Any:
        return self.layers["a"](x) * self.layers["b"](x)


_ATTENTION: dict[str, dict[str, Any]] = {
    "": {},
    "no bias": {"use_bias": False},
    "features": {"qkv_features": 12, "out_features": 6},
    "normalize_qk": {"normalize_qk": True},
    "float16": {"dtype": jnp.float16},
}

_RECURRENCE: dict[str, dict[str, Any]] = {
    "reverse": {"reverse": True},
    "reverse,keep_order": {"reverse": True, "keep_order": True},
    "time_major": {"time_major": True},
    "return_carry": {"return_carry": True},
    "unroll": {"unroll": 2},
}

EXAMPLES: list[Example] = [
    *_layers(
        "Linear", (4, 3), f(2, 4), variants=({}, {"use_bias": False}, _BF16, {"dtype": jnp.float16})
    ),
    *_layers("Linear", (4, 3), f(2, 5, 4), variants=({"use_bias": True},)),
    *_layers("LinearGeneral", (4, (3, 2)), f(2, 4), variants=({}, {"use_bias": False})),
    *_layers("LinearGeneral", ((4, 3), 5), f(2, 4, 3), variants=({"axis": (-2, -1)},)),
    *_layers("LinearGeneral", (4, 5), f(2, 3, 4), variants=({"batch_axis": {0: 2}},)),
    *_layers("Einsum", ("bta,ac->btc", (4, 5), (5,)), f(2, 3, 4)),
    *layer(
        "Einsum",
        lambda: nnx.Einsum("nta,hab->nthb", (2, 4, 5), **_rngs()),
        f(2, 3, 4),
        variant="no bias",
    ),
    *_layers("Conv", (4, 6), f(2, 8, 7, 4), variants=[{"kernel_size": (3, 3), **o} for o in _CONV]),
    *_layers(
        "Conv",
        (4, 6),
        f(2, 9, 4),
        variants=(
            {"kernel_size": (3,)},
            {"kernel_size": (3,), "padding": "CAUSAL"},
            {"kernel_size": 3},
        ),
    ),
    *_layers("Conv", (4, 6), f(2, 6, 5, 7, 4), variants=({"kernel_size": (3, 3, 3)},)),
    *layer(
        "Conv",
        lambda: nnx.Conv(
            4,
            6,
            (3, 3),
            mask=jnp.tril(jnp.ones((3, 3)))[..., None, None] * jnp.ones((3, 3, 4, 6)),
            **_rngs(),
        ),
        f(2, 8, 7, 4),
        variant="mask",
    ),
    *_layers(
        "ConvTranspose",
        (4, 6),
        f(2, 5, 4, 4),
        variants=[
            {"kernel_size": (3, 3), **o}
            for o in (
                {},
                {"padding": "VALID"},
                {"padding": "CIRCULAR"},
                {"strides": (2, 2)},
                {"use_bias": False},
                {"kernel_dilation": (2, 2)},
                {"transpose_kernel": False},
                {"strides": (2, 2), "padding": "VALID"},
            )
        ],
    ),
    *_layers("Embed", (7, 4), i(2, 3, high=7), variants=({}, _BF16)),
    *layer("Embed", lambda: nnx.Embed(7, 4, **_rngs()).attend, f(2, 4), variant="attend"),
    *[
        e
        for o in (
            {},
            {"use_bias": False},
            {"use_scale": False},
            {"axis": 1},
            {"epsilon": 0.1},
            {"dtype": jnp.float16},
        )
        for e in layer(
            "BatchNorm",
            functools.partial(_trained, "BatchNorm", 4, use_running_average=True, **o),
            f(2, 4, 4),
            variant=str(o),
        )
    ],
    *layer(
        "BatchNorm",
        lambda: _trained("BatchNorm", 4, use_running_average=False),
        f(6, 4),
        variant="training",
    ),
    *_layers("LayerNorm", (4,), f(2, 3, 4), variants=_NORM),
    *_layers("LayerNorm", (3,), f(2, 3, 4), variants=({"reduction_axes": 1, "feature_axes": 1},)),
    *_layers(
        "RMSNorm",
        (4,),
        f(2, 3, 4),
        variants=({}, {"use_scale": False}, {"epsilon": 0.1}, {"dtype": jnp.float16}),
    ),
    *_layers("GroupNorm", (4,), f(2, 5, 6, 4), variants=[{"num_groups": 2, **o} for o in _NORM]),
    *_layers("GroupNorm", (4,), f(2, 5, 4), variants=({"num_groups": None, "group_size": 2},)),
    *_layers("InstanceNorm", (4,), f(2, 5, 6, 4), variants=_NORM),
    *layer("WeightNorm", lambda: _wrapped("WeightNorm"), f(2, 4)),
    *layer("SpectralNorm", lambda: _wrapped("SpectralNorm"), f(2, 4)),
    *layer(
        "Dropout",
        lambda: nnx.Dropout(0.5, deterministic=True, **_rngs()),
        f(2, 4),
        variant="inference",
    ),
    *layer("Dropout", lambda: nnx.Dropout(0.5, **_rngs()), f(2, 4), variant="training"),
    *[
        e
        for v, o in _ATTENTION.items()
        for e in layer(
            "MultiHeadAttention",
            _attention(**o),
            f(2, 5, 8),
            variant=v,
            tolerance=(1e-3, 1e-5) if v == "normalize_qk" else SOFTMAX,
        )
    ],
    *layer(
        "MultiHeadAttention",
        using(_attention(), lambda m, q, k, w: m(q, k, mask=w)),
        f(2, 5, 8),
        f(2, 7, 8),
        b(2, 1, 5, 7),
        variant="cross,mask",
        tolerance=SOFTMAX,
    ),
    *layer(
        present(nnx, "RoPE"),
        lambda: nnx.RoPE(embedding_size=8, max_seq_len=16),
        f(2, 5, 8),
    ),
    *layer(
        present(nnx, "RoPE"),
        lambda: nnx.RoPE(),  # noqa: PLW0108  older releases lack it
        f(2, 5, 8),
        i(5, fixed=True),
        variant="positions",
    ),
    *of(
        present(nnx, "dot_product_attention_with_rope"),
        lambda q, k, v: nnx.dot_product_attention_with_rope(
            q, k, v, rope=nnx.RoPE(embedding_size=4, max_seq_len=16)
        ),
        f(2, 5, 2, 4),
        f(2, 5, 2, 4),
        f(2, 5, 2, 4),
        tolerance=SOFTMAX,
    ),
    *layer(
        "MultiHeadAttention",
        _decoder,
        f(2, 1, 8),
        variant="decode",
        skip=("symbolic",),
        tolerance=SOFTMAX,
    ),
    *layer(
        "MultiHeadAttention",
        using(_attention(), lambda m, x: m(x, mask=nnx.make_causal_mask(x[..., 0]))),
        f(2, 5, 8),
        variant="causal",
        tolerance=SOFTMAX,
    ),
    *_layers("PReLU", (), f(2, 4), always=dict, variants=({}, {"negative_slope_init": 0.2})),
    *layer("LoRA", lambda: nnx.LoRA(4, 2, 3, **_rngs()), f(2, 4)),
    *layer(
        "LoRA",
        lambda: nnx.LoRA(4, 2, 3, base_module=nnx.Linear(4, 3, **_rngs()), **_rngs()),
        f(2, 4),
        variant="base",
    ),
    *_layers("LoRALinear", (4, 3), f(2, 4), variants=({"lora_rank": 2},)),
    *layer(
        "Sequential",
        lambda: nnx.Sequential(
            nnx.Linear(4, 5, **_rngs()),
            nnx.relu,
            nnx.LayerNorm(5, **_rngs()),
            nnx.Linear(5, 2, **_rngs()),
        ),
        f(2, 4),
    ),
    *layer("List", _Sequence, f(2, 4)),
    *layer("Dict", _Named, f(2, 4)),
    *layer("Module Param Variable Rngs", lambda: Block(nnx.Rngs(0)), f(2, 4)),
    *[
        e
        for s in ("SimpleCell", "GRUCell")
        for e in layer(s, functools.partial(_cell, s), f(2, 5), f(2, 4))
    ],
    *[
        e
        for s in ("LSTMCell", "OptimizedLSTMCell")
        for e in layer(s, functools.partial(_cell, s), f(2, 5), f(2, 5), f(2, 4))
    ],
    *[
        e
        for s in ("SimpleCell", "GRUCell", "LSTMCell", "OptimizedLSTMCell")
        for e in layer("RNN", _rnn(s), f(2, 6, 4), variant=s)
    ],
    *layer(
        "SimpleCell",
        lambda: _cell("SimpleCell", activation_fn=nnx.relu),
        f(2, 5),
        f(2, 4),
        variant="relu",
    ),
    *[
        e
        for v, o in _RECURRENCE.items()
        for e in layer(
            "RNN",
            _rnn("LSTMCell", **o),
            f(2, 6, 4),
            variant=v,
            skip=("symbolic",) if v == "time_major" else (),
        )
    ],
    *layer(
        "RNN",
        using(_rnn("GRUCell"), lambda m, x, n: m(x, seq_lengths=n)),
        f(2, 6, 4),
        i(2, low=1, high=6),
        variant="seq_lengths",
    ),
    *layer(
        "Bidirectional",
        lambda: nnx.Bidirectional(_rnn("GRUCell")(), _rnn("GRUCell")(), **_rngs()),
        f(2, 6, 4),
    ),
]
