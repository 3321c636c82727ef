"""``flax.nnx``."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from tests.coverage.example import Example, b, f, i, layer, made, of
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


def _rngs() -> dict[str, Any]:
    return {"rngs": nnx.Rngs(0)}


def _trained(symbol: str, *arguments: Any, **keywords: Any) -> Any:
    """A layer whose running statistics are not those that it starts with."""
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
    return lambda x: spectral(x, update_stats=False)


class _Block(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.linear = nnx.Linear(4, 4, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return x + jnp.tanh(self.linear(x))


def _stacked(scan: bool) -> Any:
    @nnx.split_rngs(splits=3)
    @nnx.vmap(in_axes=(0,), out_axes=0)
    def blocks(rngs: nnx.Rngs) -> _Block:
        return _Block(rngs)

    stack = blocks(nnx.Rngs(0))
    if scan:
        return lambda x: nnx.scan(lambda v, m: m(v), in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)(
            x, stack
        )
    return lambda x: nnx.vmap(lambda m, v: m(v), in_axes=(0, None), out_axes=0)(stack, x)


def _through(transform: Any) -> Any:
    """A module that is called in a transformation."""
    block = _Block(nnx.Rngs(0))
    return lambda x: transform(lambda m, v: m(v))(block, x)


def _gradient(name: str) -> Any:
    block = _Block(nnx.Rngs(0))

    def loss(m: _Block, x: Any) -> Any:
        return (m(x) ** 2).sum()

    return lambda x: jax.tree.leaves(getattr(nnx, name)(loss)(block, x))


def _rnn(cell: str, **options: Any) -> Any:
    return lambda: nnx.RNN(getattr(nnx, cell)(4, 5, **_rngs()), **options, **_rngs())


def _cell(symbol: str, **options: Any) -> Any:
    cell = getattr(nnx, symbol)(4, 5, **options, **_rngs())
    if "LSTM" in symbol:
        return lambda c, h, x: cell((c, h), x)
    return lambda h, x: cell(h, x)


_LAYERS: list[Example] = [
    *_layers(
        "Linear", (4, 3), f(2, 4), variants=({}, {"use_bias": False}, _BF16, {"dtype": jnp.float16})
    ),
    *_layers("Linear", (4, 3), f(2, 5, 4), variants=({"use_bias": True},)),
    *_layers("LinearGeneral", (4, (3, 2)), f(2, 4), variants=({}, {"use_bias": False})),
    *_layers("LinearGeneral", ((4, 3), 5), f(2, 4, 3), variants=({"axis": (-2, -1)},)),
    *_layers("LinearGeneral", (4, 5), f(2, 3, 4), variants=({"batch_axis": {1: 3}},)),
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
            lambda o=o: _trained("BatchNorm", 4, use_running_average=True, **o),
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
        for v, o in {
            "": {},
            "no bias": {"use_bias": False},
            "features": {"qkv_features": 12, "out_features": 6},
            "normalize_qk": {"normalize_qk": True},
            "float16": {"dtype": jnp.float16},
        }.items()
        for e in layer("MultiHeadAttention", _attention(**o), f(2, 5, 8), variant=v)
    ],
    *layer(
        "MultiHeadAttention",
        lambda: (lambda m: lambda q, k, w: m(q, k, mask=w))(_attention()()),
        f(2, 5, 8),
        f(2, 7, 8),
        b(2, 1, 5, 7),
        variant="cross,mask",
    ),
    *layer(
        "MultiHeadAttention", lambda: _decoder(), f(2, 1, 8), variant="decode", skip=("symbolic",)
    ),
    *layer(
        "MultiHeadAttention",
        lambda: (lambda m: lambda x: m(x, mask=nnx.make_causal_mask(x[..., 0])))(_attention()()),
        f(2, 5, 8),
        variant="causal",
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
    *layer("List", lambda: _Sequence(), f(2, 4)),
    *layer("Dict", lambda: _Named(), f(2, 4)),
    *layer("Module Param Variable Rngs", lambda: _Block(nnx.Rngs(0)), f(2, 4)),
    *[
        e
        for s in ("SimpleCell", "GRUCell")
        for e in layer(s, lambda s=s: _cell(s), f(2, 5), f(2, 4))
    ],
    *[
        e
        for s in ("LSTMCell", "OptimizedLSTMCell")
        for e in layer(s, lambda s=s: _cell(s), f(2, 5), f(2, 5), f(2, 4))
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
        for v, o in {
            "reverse": {"reverse": True},
            "reverse,keep_order": {"reverse": True, "keep_order": True},
            "time_major": {"time_major": True},
            "return_carry": {"return_carry": True},
            "unroll": {"unroll": 2},
        }.items()
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
        lambda: (lambda m: lambda x, n: m(x, seq_lengths=n))(_rnn("GRUCell")()),
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


def _capture() -> Any:
    block = _Block(nnx.Rngs(0))
    forward = nnx.capture(block, nnx.Intermediate)
    return lambda x: forward(x)[0]


def _trained_step(symbol: str) -> Any:
    def step(x: Any) -> Any:
        block = _Block(nnx.Rngs(0))
        rate = optax.sgd(0.1)
        gradient = nnx.grad(lambda m: (m(x) ** 2).sum())(block)
        if symbol == "Optimizer":
            nnx.Optimizer(block, rate, wrt=nnx.Param).update(block, gradient)
        else:
            nnx.ModelAndOptimizer(block, rate, wrt=nnx.Param).update(gradient)
        return block.linear.kernel[...]

    return step


def _measured(x: Any) -> Any:
    metric = nnx.MultiMetric(mean=nnx.metrics.Average())
    metric.update(values=x)
    return metric.compute()["mean"]


def _checked(x: Any) -> Any:
    error, y = nnx.checkify(lambda v: jnp.sin(v))(x)
    return y


_TRANSFORMS: list[Example] = [
    *layer("capture", _capture, f(2, 4)),
    *of("Optimizer", _trained_step("Optimizer"), f(2, 4)),
    *of("ModelAndOptimizer", _trained_step("ModelAndOptimizer"), f(2, 4)),
    *of("MultiMetric", _measured, f(2, 4)),
    *of("checkify", _checked, f(2, 4)),
    *layer(
        "map",
        lambda: (lambda m: lambda x: nnx.map(lambda _, v: v.replace(v[...] * 2), m)(x))(
            _Block(nnx.Rngs(0))
        ),
        f(2, 4),
    ),
    *layer("scan split_rngs Carry", lambda: _stacked(scan=True), f(2, 4)),
    *layer("vmap", lambda: _stacked(scan=False), f(2, 4)),
    *layer("jit", lambda: _through(nnx.jit), f(2, 4)),
    *layer("remat", lambda: _through(nnx.remat), f(2, 4)),
    *layer(
        "jit_partial",
        lambda: (lambda m: lambda x: nnx.jit_partial(lambda n, v: n(v), m)(x))(_Block(nnx.Rngs(0))),
        f(2, 4),
    ),
    *layer(
        "cached_partial",
        lambda: (lambda m: lambda x: nnx.cached_partial(nnx.jit(lambda n, v: n(v)), m)(x))(
            _Block(nnx.Rngs(0))
        ),
        f(2, 4),
        skip=("f64",),
    ),
    *layer("grad", lambda: _gradient("grad"), f(2, 4)),
    *layer("value_and_grad", lambda: _gradient("value_and_grad"), f(2, 4)),
    *of("jvp", lambda x: nnx.jvp(jnp.sin, (x,), (x,)), f(2, 4)),
    *of("vjp", lambda x: nnx.vjp(jnp.sin, x)[1](x), f(2, 4)),
    *of("custom_vjp", lambda x: _scaled(x), f(2, 4)),
    *layer(
        "cond",
        lambda: (
            lambda m: lambda x: nnx.cond(x.sum() > 0, lambda n, v: n(v), lambda n, v: -n(v), m, x)
        )(_Block(nnx.Rngs(0))),
        f(2, 4),
    ),
    *layer(
        "switch",
        lambda: (
            lambda m: lambda k, x: nnx.switch(k, [lambda n, v: n(v), lambda n, v: -n(v)], m, x)
        )(_Block(nnx.Rngs(0))),
        i(high=3),
        f(2, 4),
    ),
    *of("fori_loop", lambda x: nnx.fori_loop(0, 3, lambda k, v: v * 2 + k, x), f(2, 4)),
    *of(
        "while_loop",
        lambda x: nnx.while_loop(lambda v: v.sum() < 50, lambda v: v * 2 + 1, jnp.abs(x)),
        f(2, 4),
    ),
    *layer(
        "split merge state graphdef update",
        lambda: (lambda m: lambda x: nnx.merge(*nnx.split(m))(x))(_Block(nnx.Rngs(0))),
        f(2, 4),
    ),
    *layer("clone", lambda: (lambda m: lambda x: nnx.clone(m)(x))(_Block(nnx.Rngs(0))), f(2, 4)),
    *layer(
        "eval_shape",
        lambda: (lambda m: lambda x: jnp.zeros(nnx.eval_shape(m, x).shape) + x)(
            _Block(nnx.Rngs(0))
        ),
        f(2, 4),
    ),
]


@nnx.custom_vjp
def _scaled(x: Any) -> Any:
    return x * 2


_scaled.defvjp(lambda x: (x * 2, None), lambda _, g: (g,))

EXAMPLES: list[Example] = [*_LAYERS, *_TRANSFORMS, *flax_functions.of_library(nnx)]
