"""Examples of ``flax.nnx``: transformations of modules."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from tests.coverage.example import Example, f, i, layer, of, using
from tests.coverage.libraries.nnx_layers import Block, block


def _stack() -> Any:
    @nnx.split_rngs(splits=3)
    @nnx.vmap(in_axes=(0,), out_axes=0)
    def blocks(rngs: nnx.Rngs) -> Block:
        return Block(rngs)

    return blocks(nnx.Rngs(0))


def _in_turn(stack: Any, x: Any) -> Any:
    return nnx.scan(lambda v, m: m(v), in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)(x, stack)


def _side_by_side(stack: Any, x: Any) -> Any:
    return nnx.vmap(lambda m, v: m(v), in_axes=(0, None), out_axes=0)(stack, x)


def _loss(m: Block, x: Any) -> Any:
    return (m(x) ** 2).sum()


class _Descent:
    """A gradient transformation without a state, for ``nnx.Optimizer``."""

    def init(self, parameters: Any) -> tuple[()]:
        return ()

    def update(self, gradient: Any, state: Any, parameters: Any) -> tuple[Any, Any]:
        return jax.tree.map(lambda g: -0.1 * g, gradient), state


def _trained_step(symbol: str) -> Any:
    def step(x: Any) -> Any:
        block = Block(nnx.Rngs(0))
        rate: Any = _Descent()
        gradient = nnx.grad(lambda m: (m(x) ** 2).sum())(block)
        if symbol == "Optimizer":
            nnx.Optimizer(block, rate, wrt=nnx.Param).update(block, gradient)
        else:
            nnx.ModelAndOptimizer(block, rate, wrt=nnx.Param).update(gradient)
        return block.linear.kernel[...]

    return step


def _averaged(x: Any) -> Any:
    average = nnx.EMA(Block(nnx.Rngs(0)), decay=0.9)
    average.update(Block(nnx.Rngs(1)))
    return average.apply_to(Block(nnx.Rngs(1)))(x)


def _measured(x: Any) -> Any:
    metric = nnx.MultiMetric(mean=nnx.metrics.Average())
    metric.update(values=x)
    return metric.compute()["mean"]


def _checked(x: Any) -> Any:
    _, y = nnx.checkify(jnp.sin)(x)
    return y


@nnx.custom_vjp
def _scaled(x: Any) -> Any:
    return x * 2


_scaled.defvjp(lambda x: (x * 2, None), lambda _, g: (g,))


EXAMPLES: list[Example] = [
    *layer("capture", using(block, lambda m, x: nnx.capture(m, nnx.Intermediate)(x)[0]), f(2, 4)),
    *of("Optimizer", _trained_step("Optimizer"), f(2, 4)),
    *of("ModelAndOptimizer", _trained_step("ModelAndOptimizer"), f(2, 4)),
    *of("EMA", _averaged, f(2, 4), tolerance=(1e-5, 1e-5)),
    *of("MultiMetric", _measured, f(2, 4)),
    *of("checkify", _checked, f(2, 4)),
    *layer(
        "map",
        using(block, lambda m, x: nnx.map(lambda _, v: v.replace(v[...] * 2), m)(x)),
        f(2, 4),
    ),
    *layer("scan split_rngs Carry", using(_stack, _in_turn), f(2, 4)),
    *layer("vmap", using(_stack, _side_by_side), f(2, 4)),
    *layer("jit", using(block, nnx.jit(lambda n, v: n(v))), f(2, 4)),
    *layer("remat", using(block, nnx.remat(lambda n, v: n(v))), f(2, 4)),
    *layer(
        "jit_partial",
        using(block, lambda m, x: nnx.jit_partial(lambda n, v: n(v), m, graph_updates=False)(x)),
        f(2, 4),
    ),
    *layer(
        "cached_partial",
        using(block, lambda m, x: nnx.cached_partial(nnx.jit(lambda n, v: n(v)), m)(x)),
        f(2, 4),
        skip=("f64",),
    ),
    *layer("grad", using(block, lambda m, x: jax.tree.leaves(nnx.grad(_loss)(m, x))), f(2, 4)),
    *layer(
        "value_and_grad",
        using(block, lambda m, x: jax.tree.leaves(nnx.value_and_grad(_loss)(m, x))),
        f(2, 4),
    ),
    *of("jvp", lambda x: nnx.jvp(jnp.sin, (x,), (x,), graph=False), f(2, 4)),
    *of("vjp", lambda x: nnx.vjp(jnp.sin, x, graph=False)[1](x), f(2, 4)),
    *of("custom_vjp", _scaled, f(2, 4)),
    *layer(
        "cond",
        using(
            block,
            lambda m, x: nnx.cond(x.sum() > 0, lambda n, v: n(v), lambda n, v: -n(v), m, x),
        ),
        f(2, 4),
    ),
    *layer(
        "switch",
        using(
            block,
            lambda m, k, x: nnx.switch(k, [lambda n, v: n(v), lambda n, v: -n(v)], m, x),
        ),
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
        using(block, lambda m, x: nnx.merge(*nnx.split(m))(x)),
        f(2, 4),
    ),
    *layer("clone", using(block, lambda m, x: nnx.clone(m)(x)), f(2, 4)),
    *layer(
        "eval_shape",
        using(block, lambda m, x: jnp.zeros(nnx.eval_shape(m, x).shape, x.dtype) + x),
        f(2, 4),
    ),
]
