"""Helpers that make examples of ``flax.linen``, each of which is ``(module, variables)``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from tests.coverage.example import Arg, Example, described, layer


def bound(module: nn.Module, inputs: tuple[Arg, ...]) -> tuple[nn.Module, Any]:
    """Return a module and its initial variables, with running statistics that are not constant."""
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
    """Return examples of a module, with each set of its constructor's keywords."""

    def made(keywords: dict[str, Any]) -> tuple[nn.Module, Any]:
        return bound(make(**keywords), inputs)

    return [
        e
        for keywords in variants
        for e in layer(
            symbol,
            functools.partial(made, keywords),
            *inputs,
            **{"variant": described(keywords), **options},
        )
    ]


def calling(method: Callable[..., Any]) -> Callable[..., nn.Module]:
    """Return a factory of a module whose ``__call__`` is ``method``."""

    class Calling(nn.Module):
        @nn.compact
        def __call__(self, *inputs: Any) -> Any:
            return method(self, *inputs)

    return Calling


class Block(nn.Module):
    """A block with a residual connection."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Return the sum of the input and a layer of it."""
        return x + jnp.tanh(nn.Dense(4)(x))


class Step(nn.Module):
    """A block with a residual connection, as the body of a scan."""

    @nn.compact
    def __call__(self, x: Any, _: Any) -> Any:
        """Return the new carry, which is the sum of ``x`` and a layer of it."""
        return x + jnp.tanh(nn.Dense(4)(x)), None
