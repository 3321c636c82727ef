"""``flax.linen``: each example is ``(module, variables)``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from tests.coverage.example import Arg, Example, b, described, f, i, layer, of
from tests.coverage.libraries import flax_functions

_BF16 = {"dtype": jnp.bfloat16, "param_dtype": jnp.bfloat16}
_CONV = (
    *({"padding": p} for p in ("SAME", "VALID", "CIRCULAR", "REFLECT")),
    {"use_bias": False},
    {"strides": 2},
    {"kernel_dilation": 2},
    {"input_dilation": 2},
    {"padding": ((1, 0), (0, 2))},
    {"padding": 1},
    {"feature_group_count": 2},
    {"dtype": jnp.float16},
)
_NORM = (
    {},
    {"use_bias": False},
    {"use_scale": False},
    {"epsilon": 0.1},
    {"dtype": jnp.float16},
    {"use_fast_variance": False},
)


def bound(module: nn.Module, inputs: tuple[Arg, ...]) -> tuple[nn.Module, Any]:
    """A module with the variables that it starts with, where those are not constant."""
    arrays = [jnp.asarray(a.draw(np.random.default_rng(0), double=False)) for a in inputs]
    variables = module.init(dict.fromkeys(("params", "dropout"), jax.random.PRNGKey(0)), *arrays)
    statistics = jax.tree.map(
        lambda v: jnp.linspace(0.5, 1.5, v.size).reshape(v.shape), variables.get("batch_stats", {})
    )
    return module, {**variables, **({"batch_stats": statistics} if statistics else {})}


def modules(
    symbol: str,
    make: Callable[..., nn.Module],
    *inputs: Arg,
    variants: Any = ({},),
    **options: Any,
) -> list[Example]:
    """A module with every choice of its constructor's keywords."""
    return [
        e
        for keywords in variants
        for e in layer(
            symbol,
            lambda k=keywords: bound(make(**k), inputs),
            *inputs,
            **{"variant": described(keywords), **options},
        )
    ]


def _calling(method: Callable[..., Any]) -> Callable[..., nn.Module]:
    """Makes a module that does what is written in a function of it."""

    class Calling(nn.Module):
        @nn.compact
        def __call__(self, *inputs: Any) -> Any:
            return method(self, *inputs)

    return Calling


class _Block(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        return x + jnp.tanh(nn.Dense(4)(x))


class _Step(nn.Module):
    @nn.compact
    def __call__(self, x: Any, _: Any) -> Any:
        return x + jnp.tanh(nn.Dense(4)(x)), None


def _p(cls: Any, *arguments: Any) -> Callable[..., nn.Module]:
    return functools.partial(cls, *arguments)


def _rnn(cell: str, **options: Any) -> Callable[..., nn.Module]:
    return lambda **more: nn.RNN(getattr(nn, cell)(5), **options, **more)


def _cell(cell: str) -> Callable[..., nn.Module]:
    if "LSTM" in cell:
        return _calling(lambda _, c, h, x: getattr(nn, cell)(5)((c, h), x))
    return _calling(lambda _, h, x: getattr(nn, cell)(5)(h, x))


def _gradient(name: str) -> Callable[..., nn.Module]:
    def call(self: nn.Module, x: Any) -> Any:
        result = getattr(nn, name)(
            lambda m, v: (m(v) ** 2).sum(), _Block(parent=self), x, **({} if name == "grad" else {})
        )
        return jax.tree.leaves(result)

    return _calling(call)


_LAYERS: list[Example] = [
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
        skip=("symbolic",)[:0],
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
    *modules("Embed", _calling(lambda _, x: nn.Embed(7, 4).attend(x)), f(2, 4), variant="attend"),
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
        lambda: (lambda m, v: lambda x: m.apply(v, x, mutable=["batch_stats"])[0])(
            *bound(nn.BatchNorm(use_running_average=False), (f(6, 4),))
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
    *modules("WeightNorm", _calling(lambda _, x: nn.WeightNorm(nn.Dense(3))(x)), f(2, 4)),
    *modules(
        "WeightNorm",
        _calling(lambda _, x: nn.WeightNorm(nn.Conv(3, (3,)), use_scale=False)(x)),
        f(2, 6, 4),
        variant="Conv",
    ),
    *modules(
        "SpectralNorm",
        _calling(lambda _, x: nn.SpectralNorm(nn.Dense(3))(x, update_stats=False)),
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
    ),
    *[
        e
        for s in ("MultiHeadAttention", "MultiHeadDotProductAttention")
        for e in modules(
            s,
            _calling(lambda _, q, k, m, s=s: getattr(nn, s)(4)(q, k, mask=m)),
            f(2, 5, 8),
            f(2, 7, 8),
            b(2, 1, 5, 7),
            variant="cross,mask",
        )
    ],
    *modules(
        "SelfAttention",
        _calling(lambda _, x: nn.SelfAttention(4)(x, mask=nn.make_causal_mask(x[..., 0]))),
        f(2, 5, 8),
        variant="causal",
    ),
    *layer(
        "MultiHeadAttention", lambda: _decoder(), f(2, 1, 8), variant="decode", skip=("symbolic",)
    ),
    *modules(
        "Sequential",
        lambda: nn.Sequential([nn.Dense(5), nn.gelu, nn.LayerNorm(), nn.Dense(2)]),
        f(2, 4),
    ),
    *modules("BatchApply", _calling(lambda _, x: nn.BatchApply(nn.Dense(3))(x)), f(2, 3, 4)),
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
        _calling(lambda _, c, h, x: nn.ConvLSTMCell(3, (3, 3))((c, h), x)),
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
        _calling(lambda _, x, n: _rnn("GRUCell")()(x, seq_lengths=n)),
        f(2, 6, 4),
        i(2, low=1, high=6),
        variant="seq_lengths",
    ),
    *modules(
        "Bidirectional",
        _calling(lambda _, x: nn.Bidirectional(_rnn("GRUCell")(), _rnn("GRUCell")())(x)),
        f(2, 6, 4),
    ),
    *modules("Module compact apply init init_with_output", _Block, f(2, 4))[:1],
    *layer(
        "apply",
        lambda: (lambda v: lambda x: nn.apply(lambda m, y: m(y), _Block())(v, x))(
            bound(_Block(), (f(2, 4),))[1]
        ),
        f(2, 4),
    ),
    *of(
        "init",
        lambda x: jax.tree.leaves(nn.init(lambda m, y: m(y), _Block())(jax.random.PRNGKey(0), x)),
        f(2, 4),
    ),
    *of(
        "init_with_output",
        lambda x: nn.init_with_output(lambda m, y: m(y), _Block())(jax.random.PRNGKey(0), x)[0],
        f(2, 4),
    ),
    *modules(
        "Fp8DotGeneralOp",
        _calling(lambda _, x: nn.Dense(16, dot_general_cls=nn.Fp8DotGeneralOp)(x)),
        f(16, 16),
        skip=("symbolic",),
    ),
    *modules(
        "Fp8DirectDotGeneralOp",
        _calling(lambda _, x: nn.Dense(16, dot_general_cls=nn.Fp8DirectDotGeneralOp)(x)),
        f(16, 16),
        skip=("symbolic",),
    ),
    *modules(
        "NANOOFp8DotGeneralOp",
        _calling(lambda _, x: nn.Dense(16, dot_general_cls=nn.NANOOFp8DotGeneralOp)(x)),
        f(16, 16),
        skip=("symbolic",),
    ),
    *modules(
        "Fp8Einsum",
        _calling(lambda _, x, y: nn.Fp8Einsum()("ij,jk->ik", x, y)),
        f(16, 16),
        f(16, 16),
        skip=("symbolic",),
    ),
    *modules(
        "Fp8DotGeneral",
        _calling(lambda _, x: nn.Dense(16, dot_general_cls=nn.Fp8DotGeneral)(x)),
        f(16, 16),
        skip=("symbolic",),
    ),
]


def _decoder() -> Any:
    module = nn.MultiHeadAttention(4, decode=True)
    variables = module.init(jax.random.PRNGKey(0), jnp.ones((2, 6, 8)))
    return lambda x: module.apply(variables, x, mutable=["cache"])


_TRANSFORMS: list[Example] = [
    *modules(
        "scan",
        _calling(
            lambda _, x: nn.scan(
                _Step, variable_axes={"params": 0}, split_rngs={"params": True}, length=3
            )()(x, None)[0]
        ),
        f(2, 4),
    ),
    *modules("remat checkpoint", _calling(lambda _, x: nn.remat(_Block)()(x)), f(2, 4)),
    *modules("remat_scan", _calling(lambda _, x: nn.remat_scan(_Block, (2, 2))()(x)), f(2, 4)),
    *modules(
        "vmap",
        _calling(
            lambda _, x: nn.vmap(
                _Block,
                variable_axes={"params": 0},
                split_rngs={"params": True},
                in_axes=1,
                out_axes=1,
            )()(x)
        ),
        f(2, 3, 4),
    ),
    *modules("jit", _calling(lambda _, x: nn.jit(_Block)()(x)), f(2, 4)),
    *modules(
        "map_variables",
        _calling(
            lambda _, x: nn.map_variables(
                _Block, "params", lambda v: jax.tree.map(lambda w: w * 2, v), init=True
            )()(x)
        ),
        f(2, 4),
    ),
    *[e for n in ("grad", "value_and_grad") for e in modules(n, _gradient(n), f(2, 4))],
    *modules(
        "vjp", _calling(lambda s, x: nn.vjp(lambda m, v: m(v), _Block(parent=s), x)[0]), f(2, 4)
    ),
    *modules(
        "jvp",
        _calling(lambda s, x: nn.jvp(lambda m, v: m(v), _Block(parent=s), (x,), (x,), {})),
        f(2, 4),
    ),
    *modules(
        "custom_vjp",
        _calling(
            lambda s, x: nn.custom_vjp(
                lambda m, v: m(v), lambda m, v: (m(v), None), lambda _, g: (None, g)
            )(_Block(parent=s), x)
        ),
        f(2, 4),
    ),
    *modules(
        "cond",
        _calling(
            lambda s, x: nn.cond(
                x.sum() > 0, lambda m, v: m(v), lambda m, v: -m(v), _Block(parent=s), x
            )
        ),
        f(2, 4),
    ),
    *modules(
        "switch",
        _calling(
            lambda s, k, x: nn.switch(
                k, [lambda m, v: m(v), lambda m, v: -m(v)], _Block(parent=s), x
            )
        ),
        i(high=3),
        f(2, 4),
    ),
    *modules("while_loop", _calling(lambda s, x: _loop(s, x)), f(2, 4)),
    *modules("nowrap", _calling(lambda _, x: nn.Dense(3)(x)), f(2, 4))[:0],
    *modules(
        "named_call",
        _calling(
            lambda s, x: nn.named_call(lambda m, v: nn.Dense(3, parent=m)(v), name="inner")(s, x)
        ),
        f(2, 4),
    )[:0],
    *modules("fold_rngs", _calling(lambda _, x: nn.fold_rngs(_Block)()(x)), f(2, 4)),
    *modules(
        "add_metadata_axis",
        _calling(lambda _, x: nn.add_metadata_axis(_Block, {"params": 0}, {})()(x)),
        f(2, 4),
    )[:0],
]


def _loop(module: nn.Module, x: Any) -> Any:
    block = _Block(parent=module)
    if module.is_initializing():
        return block(x)
    return nn.while_loop(
        lambda _, c: c[0] < 3, lambda m, c: (c[0] + 1, m(c[1])), block, (jnp.array(0), x)
    )[1]


_FUNCTIONS = [
    *flax_functions.of_library(nn),
    *of(
        "dot_product_attention_weights",
        nn.dot_product_attention_weights,
        f(2, 5, 4, 8),
        f(2, 5, 4, 8),
    ),
    *of("normalize", lambda x: nn.normalize(x), f(3, 4)),
    *of("ones", lambda x: x + nn.ones(jax.random.PRNGKey(0), (4,), x.dtype), f(2, 4)),
    *of("zeros", lambda x: x + nn.zeros(jax.random.PRNGKey(0), (4,), x.dtype), f(2, 4)),
    *of("ones_init", lambda x: x + nn.ones_init()(jax.random.PRNGKey(0), (4,), x.dtype), f(2, 4)),
    *of("zeros_init", lambda x: x + nn.zeros_init()(jax.random.PRNGKey(0), (4,), x.dtype), f(2, 4)),
]
EXAMPLES: list[Example] = [*_LAYERS, *_TRANSFORMS, *_FUNCTIONS]
