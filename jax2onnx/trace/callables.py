"""A callable as named parameters and a function of them.

Parameters are inputs of the trace, never constants, so that each keeps its path in the model and
may be abstract (``jax.ShapeDtypeStruct``). No framework is imported that the user has not.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import tree_util

from jax2onnx.errors import InputError
from jax2onnx.trace.paths import path_name


@dataclass(frozen=True)
class Parameterised:
    """``rebuild(leaves)`` gives the callable back, with ``leaves`` in the order of ``paths``."""

    paths: tuple[str, ...]
    leaves: tuple[Any, ...]
    rebuild: Callable[[Sequence[Any]], Any]


def parameterise(fn: Any) -> Parameterised:
    """Splits a callable into its array leaves, by the first case that fits.

    1. a Flax NNX module, or a bound method of one;
    2. a Flax Linen ``(module, variables)`` pair, or a bound module;
    3. ``functools.partial`` of a callable of any of these kinds;
    4. any other pytree that can be called (an Equinox module, a bound method of one);
    5. a plain function, which has no parameters.
    """
    if _is_nnx_module(fn):
        return _nnx(fn)
    if isinstance(fn, types.MethodType) and _is_nnx_module(fn.__self__):
        owner, name = _nnx(fn.__self__), fn.__name__
        return Parameterised(
            owner.paths, owner.leaves, lambda leaves: getattr(owner.rebuild(leaves), name)
        )
    linen = linen_pair(fn)
    if linen is not None:
        module, variables = linen
        return _with_arguments(module.apply, (variables,), {})
    if isinstance(fn, functools.partial):
        return _with_arguments(fn.func, fn.args, fn.keywords)
    return _pytree(fn)


def _is_array(leaf: object) -> bool:
    return isinstance(leaf, jax.Array | jax.ShapeDtypeStruct | np.ndarray)


def _pytree(tree: Any) -> Parameterised:
    flat, treedef = tree_util.tree_flatten_with_path(tree)
    where = [i for i, (_, leaf) in enumerate(flat) if _is_array(leaf)]

    def rebuild(leaves: Sequence[Any]) -> Any:
        whole = [leaf for _, leaf in flat]
        for i, leaf in zip(where, leaves, strict=True):
            whole[i] = leaf
        return tree_util.tree_unflatten(treedef, whole)

    return Parameterised(
        tuple(path_name(flat[i][0]) for i in where), tuple(flat[i][1] for i in where), rebuild
    )


def _with_arguments(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Parameterised:
    inner = parameterise(fn)
    bound = _pytree((args[0] if len(args) == 1 else list(args), kwargs))
    count = len(inner.leaves)

    def rebuild(leaves: Sequence[Any]) -> Callable[..., Any]:
        head, keywords = bound.rebuild(leaves[count:])
        positional = (head,) if len(args) == 1 else tuple(head)
        return functools.partial(inner.rebuild(leaves[:count]), *positional, **keywords)

    paths = tuple(p.partition(".")[2] or p for p in bound.paths)
    return Parameterised(inner.paths + paths, inner.leaves + bound.leaves, rebuild)


def _is_nnx_module(fn: object) -> bool:
    nnx = sys.modules.get("flax.nnx")
    return nnx is not None and isinstance(fn, nnx.Module)


def _nnx(module: Any) -> Parameterised:
    nnx = sys.modules["flax.nnx"]
    graph, state = nnx.split(module)
    tree = _pytree(state)
    return Parameterised(
        tree.paths, tree.leaves, lambda leaves: nnx.merge(graph, tree.rebuild(leaves))
    )


def linen_pair(fn: object) -> tuple[Any, Any] | None:
    """The module and the variables of a Flax Linen callable, if it is one."""
    linen = sys.modules.get("flax.linen")
    if linen is None:
        return None
    if isinstance(fn, linen.Module):
        if fn.scope is None:
            raise InputError(
                f"the Flax Linen module {type(fn).__name__} has no variables: give "
                "(module, variables), or module.bind(variables)"
            )
        module, variables = fn.unbind()
        return module, variables
    if isinstance(fn, tuple) and len(fn) == 2 and isinstance(fn[0], linen.Module):
        return fn[0], fn[1]
    return None
