"""Examples of ``flax.linen``: transformations of modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from tests.coverage.example import Example, f, i
from tests.coverage.libraries.linen_modules import Block, Step, calling, modules


def _gradient(name: str) -> Callable[..., nn.Module]:
    def call(self: nn.Module, x: Any) -> Any:
        result = getattr(nn, name)(lambda m, v: (m(v) ** 2).sum(), Block(parent=self), x)
        return jax.tree.leaves(result)

    return calling(call)


def _loop(module: nn.Module, x: Any) -> Any:
    loop: Any = nn.while_loop  # Its condition is an array, unlike its annotation.
    block = Block(parent=module)
    if module.is_initializing():
        return block(x)
    return loop(lambda _, c: c[0] < 3, lambda m, c: (c[0] + 1, m(c[1])), block, (jnp.array(0), x))[
        1
    ]


EXAMPLES: list[Example] = [
    *modules(
        "scan",
        calling(
            lambda _, x: nn.scan(
                Step, variable_axes={"params": 0}, split_rngs={"params": True}, length=3
            )()(x, None)[0]
        ),
        f(2, 4),
    ),
    *modules("remat checkpoint", calling(lambda _, x: nn.remat(Block)()(x)), f(2, 4)),
    *modules("remat_scan", calling(lambda _, x: nn.remat_scan(Block, (2, 2))()(x)), f(2, 4)),
    *modules(
        "vmap",
        calling(
            lambda _, x: nn.vmap(
                Block,
                variable_axes={"params": 0},
                split_rngs={"params": True},
                in_axes=1,
                out_axes=1,
            )()(x)
        ),
        f(2, 3, 4),
    ),
    *modules("jit", calling(lambda _, x: nn.jit(Block)()(x)), f(2, 4)),
    *modules(
        "map_variables",
        calling(
            lambda _, x: nn.map_variables(
                Block, "params", lambda v: jax.tree.map(lambda w: w * 2, v), init=True
            )()(x)
        ),
        f(2, 4),
    ),
    *[e for n in ("grad", "value_and_grad") for e in modules(n, _gradient(n), f(2, 4))],
    *modules(
        "vjp", calling(lambda s, x: nn.vjp(lambda m, v: m(v), Block(parent=s), x)[0]), f(2, 4)
    ),
    *modules(
        "jvp",
        calling(lambda s, x: nn.jvp(lambda m, v: m(v), Block(parent=s), (x,), (x,), {})),
        f(2, 4),
    ),
    *modules(
        "custom_vjp",
        calling(
            lambda s, x: nn.custom_vjp(
                lambda m, v: m(v), lambda m, v: (m(v), None), lambda _, g: (None, g)
            )(Block(parent=s), x)
        ),
        f(2, 4),
    ),
    *modules(
        "cond",
        calling(
            lambda s, x: nn.cond(
                x.sum() > 0, lambda m, v: m(v), lambda m, v: -m(v), Block(parent=s), x
            )
        ),
        f(2, 4),
    ),
    *modules(
        "switch",
        calling(
            lambda s, k, x: nn.switch(
                k, [lambda m, v: m(v), lambda m, v: -m(v)], Block(parent=s), x
            )
        ),
        i(high=3),
        f(2, 4),
    ),
    *modules("while_loop", calling(_loop), f(2, 4)),
    *modules("named_call", calling(nn.named_call(lambda _, x: nn.Dense(3)(x))), f(2, 4)),
    *modules("fold_rngs", calling(lambda _, x: nn.fold_rngs(Block)()(x)), f(2, 4)),
]
