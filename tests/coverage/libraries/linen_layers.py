"""Examples of ``flax.linen``: layers, with each set of their constructors' arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from tests.coverage.example import Example, Variants, b, f, i, layer, of, using
from tests.coverage.libraries.linen_modules import Block, bound, calling, modules

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


def _p(cls: Any, *arguments: Any) -> Callable[..., nn.Module]:
    return functools.partial(cls, *arguments)


def _rnn(cell: str, **options: Any) -> Callable[..., nn.Module]:
    def make(**more: Any) -> nn.Module:
        types = {"dtype": jnp.result_type(float), "param_dtype": jnp.result_type(float)}
        return nn.RNN(getattr(nn, cell)(5, **types), **options, **more)

    return make


def _cell(cell: str) -> Callable[..., nn.Module]:
    if "LSTM" in cell:
        return calling(lambda _, c, h, x: getattr(nn, cell)(5)((c, h), x))
    return calling(lambda _, h, x: getattr(nn, cell)(5)(h, x))


def _decoder() -> Any:
    module = nn.MultiHeadAttention(4, decode=True)
    variables = module.init(jax.random.PRNGKey(0), jnp.ones((2, 6, 8)))
    return lambda x: module.apply(variables, x, mutable=["cache"])


EXAMPLES: list[Example] = [
    *modules(
        "Dense",
        _p(nn.Dense, 3),
        f(2, 4),
        variants=({}, {"use_bias": False}, _BF16, {"dtype": jnp.float16}),
    ),
    *modules(
        "DenseGeneral",
        nn.DenseGeneral,
        f(2, 4, 3),
        variants=(
            {"features": (3, 2)},
            {"features": 5, "axis": (-2, -1)},
            {"features": 5, "use_bias": False},
            {"features": 5, "batch_dims": (0,)},
        ),
    ),
    *modules(
        "Einsum",
        nn.Einsum,
        f(2, 3, 4),
        variants=(
            {"shape": (4, 5), "einsum_str": "bta,ac->btc"},
            {"shape": (2, 4, 5), "einsum_str": "nta,hab->nthb", "use_bias": False},
        ),
    ),
    *modules("Conv", _p(nn.Conv, 6, (3, 3)), f(2, 8, 7, 4), variants=_CONV),
    *modules(
        "Conv",
        _p(nn.Conv, 6),
        f(2, 9, 4),
        variants=(
            {"kernel_size": (3,)},
            {"kernel_size": (3,), "padding": "CAUSAL"},
            {"kernel_size": 3},
        ),
    ),
    *modules("Conv", _p(nn.Conv, 6), f(2, 6, 5, 7, 4), variants=({"kernel_size": (3, 3, 3)},)),
    *modules(
        "ConvLocal",
        _p(nn.ConvLocal, 6, (3, 3)),
        f(2, 6, 5, 4),
        variants=(
            {},
            {"padding": "VALID"},
            {"use_bias": False},
            {"strides": 2, "padding": "VALID"},
        ),
    ),
    *modules(
        "ConvTranspose",
        _p(nn.ConvTranspose, 6, (3, 3)),
        f(2, 5, 4, 4),
        variants=(
            {},
            {"padding": "VALID"},
            {"padding": "CIRCULAR"},
            {"strides": (2, 2)},
            {"use_bias": False},
            {"kernel_dilation": (2, 2)},
            {"transpose_kernel": True},
            {"strides": (2, 2), "padding": "VALID"},
        ),
    ),
    *modules("Embed", _p(nn.Embed, 7, 4), i(2, 3, high=7), variants=({}, _BF16)),
    *modules("Embed", calling(lambda _, x: nn.Embed(7, 4).attend(x)), f(2, 4), variant="attend"),
    *modules(
        "BatchNorm",
        functools.partial(nn.BatchNorm, use_running_average=True),
        f(2, 4, 4),
        variants=(
            {},
            {"use_bias": False},
            {"use_scale": False},
            {"axis": 1},
            {"epsilon": 0.1},
            {"dtype": jnp.float16},
        ),
    ),
    *layer(
        "BatchNorm",
        using(
            lambda: bound(nn.BatchNorm(use_running_average=False), (f(6, 4),)),
            lambda pair, x: pair[0].apply(pair[1], x, mutable=["batch_stats"])[0],
        ),
        f(6, 4),
        variant="training",
    ),
    *modules(
        "LayerNorm",
        nn.LayerNorm,
        f(2, 3, 4),
        variants=(*_NORM, {"reduction_axes": 1, "feature_axes": 1}, {"reduction_axes": (1, 2)}),
    ),
    *modules(
        "RMSNorm",
        nn.RMSNorm,
        f(2, 3, 4),
        variants=({}, {"use_scale": False}, {"epsilon": 0.1}, {"dtype": jnp.float16}),
    ),
    *modules("GroupNorm", functools.partial(nn.GroupNorm, 2), f(2, 5, 6, 4), variants=_NORM),
    *modules(
        "GroupNorm", nn.GroupNorm, f(2, 5, 4), variants=({"num_groups": None, "group_size": 2},)
    ),
    *modules("InstanceNorm", nn.InstanceNorm, f(2, 5, 6, 4), variants=_NORM),
    *modules("WeightNorm", calling(lambda _, x: nn.WeightNorm(nn.Dense(3))(x)), f(2, 4)),
    *modules(
        "WeightNorm",
        calling(lambda _, x: nn.WeightNorm(nn.Conv(3, (3,)), use_scale=False)(x)),
        f(2, 6, 4),
        variant="Conv",
    ),
    *modules(
        "SpectralNorm",
        calling(lambda _, x: nn.SpectralNorm(nn.Dense(3))(x, update_stats=False)),
        f(2, 4),
    ),
    *modules("Dropout", _p(nn.Dropout, 0.5), f(2, 4), variants=({"deterministic": True},)),
    *layer(
        "Dropout",
        lambda: (
            lambda x: nn.Dropout(0.5, deterministic=False).apply(
                {}, x, rngs={"dropout": jax.random.PRNGKey(0)}
            )
        ),
        f(2, 4),
        variant="training",
    ),
    *modules("PReLU", nn.PReLU, f(2, 4), variants=({}, {"negative_slope_init": 0.2})),
    *[
        e
        for s in ("MultiHeadAttention", "MultiHeadDotProductAttention", "SelfAttention")
        for e in modules(
            s,
            _p(getattr(nn, s), 4),
            f(2, 5, 8),
            variants=(
                {},
                {"use_bias": False},
                {"qkv_features": 12, "out_features": 6},
                {"dtype": jnp.float16},
            ),
        )
    ],
    *modules(
        "MultiHeadAttention",
        _p(nn.MultiHeadAttention, 4),
        f(2, 5, 8),
        variants=({"normalize_qk": True},),
        tolerance=(1e-3, 1e-9),
    ),
    *[
        e
        for s in ("MultiHeadAttention", "MultiHeadDotProductAttention")
        for e in modules(
            s,
            calling(lambda _, q, k, m, s=s: getattr(nn, s)(4)(q, k, mask=m)),
            f(2, 5, 8),
            f(2, 7, 8),
            b(2, 1, 5, 7),
            variant="cross,mask",
        )
    ],
    *modules(
        "SelfAttention",
        calling(lambda _, x: nn.SelfAttention(4)(x, mask=nn.make_causal_mask(x[..., 0]))),
        f(2, 5, 8),
        variant="causal",
    ),
    *layer("MultiHeadAttention", _decoder, f(2, 1, 8), variant="decode", skip=("symbolic",)),
    *modules(
        "Sequential",
        lambda: nn.Sequential([nn.Dense(5), nn.gelu, nn.LayerNorm(), nn.Dense(2)]),
        f(2, 4),
    ),
    *modules("BatchApply", calling(lambda _, x: nn.BatchApply(nn.Dense(3))(x)), f(2, 3, 4)),
    *[
        e
        for s in ("SimpleCell", "GRUCell", "MGUCell")
        for e in modules(s, _cell(s), f(2, 5), f(2, 4))
    ],
    *[
        e
        for s in ("LSTMCell", "OptimizedLSTMCell")
        for e in modules(s, _cell(s), f(2, 5), f(2, 5), f(2, 4))
    ],
    *[
        e
        for s in ("SimpleCell", "GRUCell", "MGUCell", "LSTMCell", "OptimizedLSTMCell")
        for e in modules("RNN", _rnn(s), f(2, 6, 4), variant=s)
    ],
    *modules(
        "ConvLSTMCell",
        calling(lambda _, c, h, x: nn.ConvLSTMCell(3, (3, 3))((c, h), x)),
        f(2, 5, 4, 3),
        f(2, 5, 4, 3),
        f(2, 5, 4, 2),
    ),
    *modules(
        "RNN",
        _rnn("LSTMCell"),
        f(2, 6, 4),
        variants=(
            {"reverse": True},
            {"reverse": True, "keep_order": True},
            {"return_carry": True},
            {"unroll": 2},
        ),
    ),
    *modules(
        "RNN", _rnn("LSTMCell"), f(2, 6, 4), variants=({"time_major": True},), skip=("symbolic",)
    ),
    *modules(
        "RNN",
        calling(lambda _, x, n: _rnn("GRUCell")()(x, seq_lengths=n)),
        f(2, 6, 4),
        i(2, low=1, high=6),
        variant="seq_lengths",
    ),
    *modules(
        "Bidirectional",
        calling(lambda _, x: nn.Bidirectional(_rnn("GRUCell")(), _rnn("GRUCell")())(x)),
        f(2, 6, 4),
    ),
    *modules("Module", Block, f(2, 4)),
    *layer(
        "apply",
        using(
            lambda: bound(Block(), (f(2, 4),))[1],
            lambda weights, x: nn.apply(Block.__call__, Block())({**weights}, x),
        ),
        f(2, 4),
    ),
    *of(
        "init",
        lambda x: jax.tree.leaves(nn.init(lambda m, y: m(y), Block())(jax.random.PRNGKey(0), x)),
        f(2, 4),
    ),
    *of(
        "init_with_output",
        lambda x: nn.init_with_output(lambda m, y: m(y), Block())(jax.random.PRNGKey(0), x)[0],
        f(2, 4),
        tolerance=(1e-5, 1e-5),
    ),
    *modules(
        "Fp8DotGeneralOp",
        calling(lambda _, x: nn.Dense(16, dot_general_cls=nn.Fp8DotGeneralOp)(x)),
        f(16, 16),
        skip=("symbolic",),
    ),
    *modules(
        "Fp8DirectDotGeneralOp",
        calling(lambda _, x: nn.Dense(16, dot_general_cls=nn.Fp8DirectDotGeneralOp)(x)),
        f(16, 16),
        skip=("symbolic",),
    ),
    *modules(
        "NANOOFp8DotGeneralOp",
        calling(lambda _, x: nn.Dense(16, dot_general_cls=nn.NANOOFp8DotGeneralOp)(x)),
        f(16, 16),
        skip=("symbolic",),
    ),
    *modules(
        "Fp8Einsum",
        calling(lambda _, x, y: nn.Fp8Einsum()("ij,jk->ik", x, y)),
        f(16, 16),
        f(16, 16),
        skip=("symbolic",),
    ),
    *modules(
        "Fp8DotGeneral",
        calling(lambda _, x: nn.Dense(16, dot_general_cls=nn.Fp8DotGeneral)(x)),
        f(16, 16),
        skip=("symbolic",),
    ),
]
