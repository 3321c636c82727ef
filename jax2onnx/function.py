"""``@onnx_function``: a function, method or module that becomes one ONNX function.

The decorator is a marked ``jax.jit``: calls with equal shapes and structure share one jaxpr, hence
one ONNX function that is called with different weights. The mark is the name of the jit, which
survives ``vmap`` and ``grad``.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import jax
import numpy as np
from jax import tree_util

from jax2onnx.errors import InputError

T = TypeVar("T", bound=Callable[..., Any])

_MARK = re.compile(r"onnx_function<([\w.]+)\|([\w.]+)\|(\d*)>")


@dataclass(frozen=True)
class Mark:
    """What a marked jit says of its ONNX function."""

    namespace: str
    name: str
    instance: str = ""

    def __str__(self) -> str:
        return f"onnx_function<{self.namespace}|{self.name}|{self.instance}>"

    @staticmethod
    def parse(name: str) -> Mark | None:
        """The mark in the name of a jit, if it bears one."""
        found = _MARK.search(name)
        return Mark(*found.groups()) if found else None


@overload
def onnx_function(target: T, /) -> T: ...
@overload
def onnx_function(
    *, unique: bool = ..., namespace: str = ..., name: str | None = ...
) -> Callable[[T], T]: ...


def onnx_function(
    target: Any = None,
    /,
    *,
    unique: bool = True,
    namespace: str = "custom",
    name: str | None = None,
) -> Any:
    """Makes ``target`` one ONNX function in every model that calls it.

    Args:
        target: a function or method of arrays and pytrees, or a class (its ``__call__``).
        unique: calls that trace to the same computation share one function; otherwise each call
            has its own.
        namespace: domain of the function.
        name: its name; that of ``target`` by default.

    Raises:
        InputError: a namespace or name that ONNX does not allow.
    """
    if target is None:
        return functools.partial(_mark, unique=unique, namespace=namespace, name=name)
    return _mark(target, unique=unique, namespace=namespace, name=name)


def _mark(target: Any, *, unique: bool, namespace: str, name: str | None) -> Any:
    label = name or target.__name__
    for what, text in (("namespace", namespace), ("name", label)):
        if not re.fullmatch(r"[\w.]+", text):
            raise InputError(
                f"onnx_function: {what} {text!r} must be letters, digits, _ and .; "
                "choose another with namespace= or name="
            )
    if isinstance(target, type):
        marked = _marked(target.__call__, Mark(namespace, label), unique)
        type.__setattr__(target, "__call__", marked)
        return target
    return _marked(target, Mark(namespace, label), unique)


def _marked(function: Callable[..., Any], mark: Mark, unique: bool) -> Callable[..., Any]:
    def call(static: tuple[Any, ...], *arrays: Any) -> Any:
        treedef, rest = static
        leaves = iter(arrays)
        args, kwargs = tree_util.tree_unflatten(
            treedef, [next(leaves) if r is _ARRAY else r for r in rest]
        )
        return function(*map(_merge, args), **kwargs)

    def jit(instance: str) -> Callable[..., Any]:
        def named(static: tuple[Any, ...], *arrays: Any) -> Any:
            return call(static, *arrays)

        named.__name__ = named.__qualname__ = str(Mark(mark.namespace, mark.name, instance))
        return jax.jit(named, static_argnums=0)

    shared = jit("")
    instances = [0]

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        leaves, treedef = tree_util.tree_flatten((tuple(map(_split, args)), kwargs))
        arrays = [leaf for leaf in leaves if _is_array(leaf)]
        rest = tuple(_ARRAY if _is_array(leaf) else leaf for leaf in leaves)
        if unique:
            return shared((treedef, rest), *arrays)
        instances[0] += 1
        return jit(str(instances[0]))((treedef, rest), *arrays)

    return wrapper


_ARRAY = "<array>"


def _is_array(leaf: object) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray)


@tree_util.register_pytree_node_class
@dataclass
class _NnxModule:
    """A Flax NNX module on its way through ``jax.jit``: its state, and its graph as static data."""

    graph: Any
    state: Any

    def tree_flatten(self) -> tuple[tuple[Any], Any]:
        return (self.state,), self.graph

    @classmethod
    def tree_unflatten(cls, graph: Any, children: tuple[Any]) -> _NnxModule:
        return cls(graph, children[0])


def _split(argument: Any) -> Any:
    nnx = sys.modules.get("flax.nnx")
    if nnx is not None and isinstance(argument, nnx.Module):
        return _NnxModule(*nnx.split(argument))
    return argument


def _merge(argument: Any) -> Any:
    if isinstance(argument, _NnxModule):
        return sys.modules["flax.nnx"].merge(argument.graph, argument.state)
    return argument
