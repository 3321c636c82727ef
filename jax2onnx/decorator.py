"""``@onnx_function``: a function, method or module that becomes one ONNX function.

The decorator is a marked ``jax.jit``. The arrays in the function's arguments are arguments of the
jit, and all else is static. The mark is the name of the jit, which survives ``vmap`` and ``grad``.
Lowering makes one ONNX function of all calls that compute the same.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import jax
import numpy as np
from jax import tree_util
from jax.extend import source_info_util

from jax2onnx.errors import InputError
from jax2onnx.marks import Mark, Variant
from jax2onnx.trace.dimensions import CONCRETE
from jax2onnx.trace.frameworks.callables import is_linen_module, is_nnx_module
from jax2onnx.trace.naming.paths import flatten_with_path, path_name
from jax2onnx.trace.read_values import ByContents, ReadValue

# Errors and call sites name the line that calls a marked function, not the wrapper below.
source_info_util.register_exclusion(__file__)

T = TypeVar("T", bound=Callable[..., Any])


@overload
def onnx_function(target: T, /) -> T: ...
@overload
def onnx_function(
    *, unique: bool = ..., namespace: str = ..., name: str | None = ..., type: str | None = ...
) -> Callable[[T], T]: ...


def onnx_function(
    target: Any = None,
    /,
    *,
    unique: bool = True,
    namespace: str = "custom",
    name: str | None = None,
    type: str | None = None,  # noqa: A002  the name that its users know
) -> Any:
    """Make ``target`` one ONNX function in every model that calls it.

    Args:
        target: a function or method of arrays, pytrees and modules, or a class (its ``__call__``)
            of any library.
        unique: calls that compute the same share one function, with their weights as inputs;
            otherwise each call has its own.
        namespace: domain of the function.
        name: its name; that of ``target`` by default.
        type: another word for ``name``.

    Raises:
        InputError: a namespace or name that ONNX does not allow, or nothing that can be called.
    """
    if target is None:
        return functools.partial(
            onnx_function, unique=unique, namespace=namespace, name=name, type=type
        )
    owner, _, own = getattr(target, "__qualname__", "").rpartition(".")
    label = str(type or name or (owner.rpartition(".")[2] if own == "__call__" else own))
    for what, text in (("namespace", namespace), ("name", label)):
        if not re.fullmatch(r"[\w.]+", text):
            raise InputError(
                f"onnx_function: {what} {text!r} must be letters, digits, _ and .; "
                "choose another with namespace= or name="
            )
    if re.match(r"(ai\.onnx|com\.microsoft)(\.|$)", namespace):
        raise InputError(
            f"onnx_function: {namespace!r} has the own operators of ONNX or ONNX Runtime, one of "
            f"which a runtime may take for {label}; choose another with namespace="
        )
    if not isinstance(target, builtins.type):
        return _marked(target, namespace, label, unique)
    if not any("__call__" in vars(base) for base in target.__mro__[:-1]):
        raise InputError(f"onnx_function: {label} has no __call__; mark its methods instead")
    marked = _marked(target.__call__, namespace, label, unique)
    builtins.type.__setattr__(target, "__call__", marked)
    return target


def _marked(function: Callable[..., Any], namespace: str, name: str, unique: bool) -> Any:
    """Return ``function`` as a marked jit.

    Args:
        function: a function, or a method of a class.
        namespace: the domain of the ONNX function.
        name: its name.
        unique: whether calls that compute the same share one function.
    """
    jits: dict[Any, Callable[..., Any]] = {}
    entered: list[bool] = []

    def call(static: Any, *arrays: Any) -> Any:
        treedef, rest = static
        leaves = iter(arrays)
        whole = [next(leaves) if r is _ARRAY else _unwrapped(r) for r in rest]
        args, kwargs = tree_util.tree_unflatten(treedef, whole)
        if args and isinstance(args[0], _Linen):
            entered.append(True)  # apply calls the wrapper again, within the jit
            return args[0].apply(function.__name__, *args[1:], **kwargs), {}
        modules = [a.merge() if isinstance(a, _Nnx) else a for a in args]
        out = function(*modules, **kwargs)
        return out, {
            i: a.changes(m)
            for i, (a, m) in enumerate(zip(args, modules, strict=True))
            if isinstance(a, _Nnx)
        }

    def jit(variant: Variant) -> Callable[..., Any]:
        def named(static: Any, *arrays: Any) -> Any:
            return call(static, *arrays)

        named.__name__ = named.__qualname__ = str(Mark.new(namespace, name, variant))
        return jax.jit(named, static_argnums=0)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if entered or any(map(_is_impure, args)):
            entered.clear()
            return function(*args, **kwargs)
        flat, treedef = flatten_with_path((tuple(map(_split, args)), kwargs))
        flat = [(path, ByContents(v) if isinstance(v, ReadValue) else v) for path, v in flat]
        arrays = [leaf for _, leaf in flat if _is_array(leaf)]
        static = treedef, tuple(_ARRAY if _is_array(leaf) else leaf for _, leaf in flat)
        try:
            chosen = jits.get(static) if unique else None
        except TypeError as error:
            raise InputError(
                f"onnx_function {name}: an argument is no array, and {error}"
            ) from error
        if chosen is None:
            arguments = _arguments(function, len(args))
            names = tuple(_name(arguments, path) for path, leaf in flat if _is_array(leaf))
            given = dict(_static(dict(zip(arguments, args, strict=True)) | kwargs))
            chosen = jits[static] = jit(Variant(unique, names, given))
        with _named_outside(arrays):
            out, changes = chosen(static, *arrays)
        for i, change in changes.items():
            _update(args[i], change)
        return out

    return wrapper


def _unwrapped(leaf: Any) -> Any:
    return leaf.read if isinstance(leaf, ByContents) else leaf


@contextlib.contextmanager
def _named_outside(arrays: Sequence[Any]) -> Iterator[None]:
    """Raise errors about the value of an array with the name that the array has outside the jit."""
    try:
        yield
    except CONCRETE as error:
        for i in re.findall(r"\barrays\[(\d+)\]", str(error)):
            np.asarray(arrays[int(i)])  # raises
        raise


_ARRAY = "<array>"


def _is_array(leaf: object) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray)


def _arguments(function: Callable[..., Any], count: int) -> list[str]:
    """Return names for positional arguments; that of a method's ``self`` is empty."""
    names = list(inspect.signature(function).parameters)
    owner = function.__qualname__.rpartition(".")[0]
    if owner and not owner.endswith("<locals>"):
        names[:1] = [""]
    return [*names, *(f"x_{i}" for i in range(len(names), count))][:count]


def _name(arguments: Sequence[str], path: tuple[Any, ...]) -> str:
    """Return the name of an array: ``x``, ``mask``, or ``linear.weight`` of ``self``.

    Args:
        arguments: the names of the positional arguments.
        path: the key path of the array in ``(args, kwargs)``.
    """
    kind, which, *rest = path
    argument = which.key if kind.idx else arguments[which.idx]
    return ".".join(filter(None, (argument, path_name(rest))))


def _static(
    obj: object, path: str = "", seen: tuple[int, ...] = ()
) -> Iterator[tuple[str, object]]:
    """Yield what is no array in an argument: numbers, strings and names of functions, by path.

    Args:
        obj: the argument, or a part of it.
        path: the path of the part.
        seen: the ids of the objects around it.
    """
    items: Any = ()
    if obj is None or isinstance(obj, bool | int | float | str):
        yield path, obj
    elif callable(obj) and hasattr(obj, "__name__"):
        yield path, obj.__name__
    elif isinstance(obj, list | tuple):
        items = enumerate(obj)
    elif id(obj) not in seen and not _is_array(obj):
        items = (obj if isinstance(obj, dict) else getattr(obj, "__dict__", {})).items()
    for key, inner in items:
        if not str(key).startswith("_") and key not in ("parent", "scope", "name"):
            yield from _static(inner, f"{path}.{key}", (*seen, id(obj)))


@tree_util.register_pytree_with_keys_class
@dataclass
class _Nnx:
    """A Flax NNX module as a pytree for ``jax.jit``: its arrays, and its graph as static data."""

    graph: Any
    state: Any

    def tree_flatten_with_keys(self) -> tuple[Any, Any]:
        return ((tree_util.GetAttrKey("__self__"), self.state),), self.graph

    @classmethod
    def tree_unflatten(cls, graph: Any, children: tuple[Any]) -> _Nnx:
        return cls(graph, children[0])

    def merge(self) -> Any:
        """Return the module."""
        return sys.modules["flax.nnx"].merge(self.graph, self.state, copy=True)

    def changes(self, module: Any) -> dict[int, Any]:
        """Return the arrays that a call has changed in ``module``, which was merged from this."""
        before = tree_util.tree_leaves(self.state)
        after = tree_util.tree_leaves(sys.modules["flax.nnx"].state(module))
        return {i: b for i, (a, b) in enumerate(zip(before, after, strict=False)) if a is not b}


def _update(module: Any, changes: dict[int, Any]) -> None:
    if changes:
        nnx = sys.modules["flax.nnx"]
        old, tree = tree_util.tree_flatten(nnx.state(module))
        leaves = [changes.get(i, x) for i, x in enumerate(old)]
        nnx.update(module, tree_util.tree_unflatten(tree, leaves))


@tree_util.register_pytree_with_keys_class
@dataclass
class _Linen:
    """A bound Flax Linen module as a pytree: its variables, and the module without them."""

    module: Any
    variables: Any

    def tree_flatten_with_keys(self) -> tuple[Any, Any]:
        return ((tree_util.GetAttrKey("__self__"), self.variables),), self.module

    @classmethod
    def tree_unflatten(cls, module: Any, children: tuple[Any]) -> _Linen:
        return cls(module, children[0])

    def apply(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the module."""
        return self.module.apply(self.variables, *args, method=method, **kwargs)


def _split(argument: Any) -> Any:
    if is_nnx_module(argument):
        return _Nnx(*sys.modules["flax.nnx"].split(argument))
    return _Linen(*argument.unbind()) if is_linen_module(argument) else argument


def _is_impure(argument: Any) -> bool:
    """Return whether it is a Linen module that is being initialised, or has state or randomness."""
    if not is_linen_module(argument):
        return False
    scope = argument.scope
    return scope is None or bool(scope.rngs) or scope.mutable is not False
