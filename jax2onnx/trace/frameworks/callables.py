"""Split a callable into named parameters and a function of them.

Parameters are inputs of the trace, never constants, so that each keeps its path in the model and
may be abstract (``jax.ShapeDtypeStruct``). A framework is used only if the user imported it.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from jax import tree_util

from jax2onnx.errors import InputError
from jax2onnx.trace.naming.paths import OwnName, flatten_with_path, path_name

_OF_APPLY = frozenset(("capture_intermediates", "method", "mutable", "rngs"))
"""Arguments of Flax Linen's ``apply`` that it does not pass to the module's method."""


@dataclass(frozen=True)
class Parameterised:
    """A callable, split into its arrays and the rest.

    Attributes:
        paths: the path of each array.
        leaves: the arrays, in the same order.
        rebuild: gives the callable back, with other arrays in that order.
    """

    paths: tuple[str, ...]
    leaves: tuple[Any, ...]
    rebuild: Callable[[Sequence[Any]], Any]


def parameterise(fn: Any) -> Parameterised:
    """Split a callable into its array leaves, by the first case that fits.

    1. a Flax NNX module;
    2. a Flax Linen ``(module, variables)`` pair, or a bound module;
    3. ``functools.partial`` of a callable of any of these kinds;
    4. a bound method of any of them;
    5. any other pytree that can be called, such as an Equinox module.

    A plain function or a transformed one (``jax.vmap(module)``) has no array leaves: arrays that it
    reaches by itself are constants of the trace (see ``jax2onnx.trace.naming.reach``).

    Args:
        fn: a callable, or a Flax Linen ``(module, variables)`` pair.

    Raises:
        InputError: a Flax Linen module without variables, or with malformed ones.
    """
    if is_nnx_module(fn):
        return _nnx(fn)
    linen = linen_pair(fn)
    if linen is not None:
        module, variables = linen
        return _with_arguments(module.apply, (variables,), {})
    if isinstance(fn, functools.partial):
        return _with_arguments(fn.func, fn.args, fn.keywords)
    if hasattr(fn, "__func__"):
        return _method(fn.__self__, fn.__func__.__name__, fn)
    tree = _pytree(fn)
    abstract = any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in tree.leaves)
    return _constant(fn) if hasattr(fn, "__wrapped__") and not abstract else tree


def state_of(fn: Any, paths: Sequence[str], before: Sequence[Any]) -> list[Any]:
    """Return the arrays of a callable after its call, which changes those of Flax NNX modules.

    Args:
        fn: the callable.
        paths: the paths of its arrays.
        before: the arrays before the call.
    """
    if "flax.nnx" not in sys.modules or not paths:
        return []
    try:
        tree = parameterise(fn)
    except ValueError:  # an Equinox State is used up by a call, which gives a new one
        return []
    after = dict(zip(tree.paths, tree.leaves, strict=True))
    return [after.get(path, leaf) for path, leaf in zip(paths, before, strict=True)]


def module_arrays(obj: Any) -> Iterator[tuple[tuple[str, ...], Any]] | None:
    """Return the named arrays of a module that is no pytree; None for anything else.

    A variable of Keras, alone or of a layer, has a name of its own.
    """
    keras = sys.modules.get("keras")
    variable = getattr(keras, "Variable", None)  # since Keras 3, the first that has JAX below it
    if keras is not None and variable and isinstance(obj, (variable, keras.layers.Layer)):
        held = [obj] if isinstance(obj, variable) else obj.variables
        return (((OwnName(v.path),), v.value) for v in held if _is_array(v.value))
    if is_linen_module(obj):
        tree = _pytree(obj.variables if obj.scope is not None else ())
    elif is_nnx_module(obj):
        tree = _nnx(obj)
    else:
        return None
    return ((tuple(p.split(".")), leaf) for p, leaf in zip(tree.paths, tree.leaves, strict=True))


def _constant(fn: Any) -> Parameterised:
    return Parameterised((), (), lambda _: fn)


def _method(owner: Any, name: str, bound: Any) -> Parameterised:
    if is_linen_module(owner):
        if owner.scope is None:
            return _constant(bound)
        module, variables = owner.unbind()
        return _with_arguments(functools.partial(module.apply, method=name), (variables,), {})
    inner = parameterise(owner)
    return replace(inner, rebuild=lambda leaves: getattr(inner.rebuild(leaves), name))


def _is_array(leaf: object) -> bool:
    return isinstance(leaf, jax.Array | jax.ShapeDtypeStruct | np.ndarray)


def _pytree(tree: Any) -> Parameterised:
    flat, treedef = flatten_with_path(tree)
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
    """Split ``partial(fn, *args, **kwargs)``; the name of a lone argument is left out of paths."""
    inner, names = parameterise(fn), argument_names(fn, len(args))
    bound = _pytree((dict(zip(names, args, strict=True)), kwargs))
    count = len(inner.leaves)

    def rebuild(leaves: Sequence[Any]) -> Callable[..., Any]:
        positional, keywords = bound.rebuild(leaves[count:])
        return functools.partial(
            inner.rebuild(leaves[:count]), *(positional[n] for n in names), **keywords
        )

    full = [p.split(".")[1:] for p in bound.paths]
    paths = tuple(".".join(p[1:] if len(args) == 1 and names[0] == p[0] else p) for p in full)
    if not all(paths) or {*paths} & {*inner.paths}:
        paths = tuple(map(".".join, full))
    return Parameterised(inner.paths + paths, inner.leaves + bound.leaves, rebuild)


def signature(fn: Callable[..., Any]) -> inspect.Signature | None:
    """Return the signature of a callable; for ``apply`` of Flax Linen, that of the method."""
    if isinstance(fn, functools.partial) and is_linen_module(getattr(fn.func, "__self__", None)):
        module: Any = fn.func.__self__  # type: ignore[attr-defined]
        method = fn.keywords.get("method") or "__call__"
        own = {k: v for k, v in fn.keywords.items() if k not in _OF_APPLY}
        if isinstance(method, str):
            fn = functools.partial(getattr(module, method), *fn.args[1:], **own)
    try:
        return inspect.signature(fn)
    except (TypeError, ValueError):  # a builtin, which has none
        return None


def argument_names(fn: Callable[..., Any], count: int) -> list[str]:
    """Return names for the first ``count`` positional arguments of ``fn``."""
    known = signature(fn)
    positional = [
        p.name
        for p in (known.parameters.values() if known else ())
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name != "self"
    ]
    return (positional + [f"input_{i}" for i in range(len(positional), count)])[:count]


def is_nnx_module(fn: object) -> bool:
    """Return whether an object is a module of Flax NNX."""
    nnx = sys.modules.get("flax.nnx")
    return nnx is not None and isinstance(fn, nnx.Module)


def is_linen_module(fn: object) -> bool:
    """Return whether an object is a module of Flax Linen."""
    linen = sys.modules.get("flax.linen")
    return linen is not None and isinstance(fn, linen.Module)


def _nnx(module: Any) -> Parameterised:
    nnx = sys.modules["flax.nnx"]
    graph, state = nnx.split(module)
    tree = _pytree(state)
    return Parameterised(
        tree.paths, tree.leaves, lambda leaves: nnx.merge(graph, tree.rebuild(leaves))
    )


def linen_pair(fn: Any) -> tuple[Any, Any] | None:
    """Return the module and the variables of a Flax Linen callable; None for anything else."""
    if is_linen_module(fn):
        if fn.scope is None:
            raise InputError(
                f"the Flax Linen module {type(fn).__name__} has no variables: give "
                "(module, variables), or module.bind(variables)"
            )
        module, variables = fn.unbind()
        return module, variables
    if isinstance(fn, tuple) and len(fn) == 2 and is_linen_module(fn[0]):
        collections = fn[1].values() if isinstance(fn[1], Mapping) else [None]
        if not all(isinstance(collection, Mapping) for collection in collections):
            raise InputError(
                f"the variables of the Flax Linen module {type(fn[0]).__name__} must be what its "
                'init returns: a dictionary of collections, {"params": {...}}'
            )
        return fn[0], fn[1]
    return None
