"""Names for arrays that a callable reaches through closures, globals and attributes.

JAX makes constants of the arrays that a lambda, ``jax.vmap(module)`` or a method finds there. Such
a constant is the same object as the array that the callable holds, so a walk over the callable
finds the path that a user would write for it.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np
from jax import tree_util
from jax.extend import core

from jax2onnx.trace.jaxprs import nested_jaxprs
from jax2onnx.trace.naming.paths import OwnName, flatten_with_path, path_name

_LIBRARIES = sys.stdlib_module_names | {
    "jax",
    "jaxlib",
    "flax",
    "equinox",
    "haiku",
    "keras",
    "numpy",
}
"""Packages whose own objects and globals hold no arrays of a model."""

_PLAIN = (types.FunctionType, types.MethodType, functools.partial)

_LEAVES = (type, types.ModuleType, str, int, float, type(None))

Path = tuple[str, ...]
Array = Any
"""A ``jax.Array`` or a ``numpy.ndarray``."""

ModuleArrays = Callable[[Any], Iterable[tuple[Path, Array]] | None]
"""Gives the named arrays of a framework's module, which is no pytree; None for anything else."""


class _Variable(str):
    """A step of a path that is the name of a variable."""

    __slots__ = ()


def identity(array: Array) -> object:
    """Return a key that is equal for two references to one array.

    JAX hands numpy arrays on as views, so theirs is made of the address and the layout.
    """
    if isinstance(array, np.ndarray):
        return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype
    return id(array)


def constants(closed: core.ClosedJaxpr) -> Iterator[Array]:
    """Yield the floating-point arrays among the constants of a jaxpr and of those nested in it.

    Integers and booleans are left out, since lowering folds constant indices and masks.
    """
    for const in closed.consts:
        floating = not isinstance(const, jax.core.Tracer) and np.size(const) > 1
        if floating and jax.numpy.issubdtype(const.dtype, np.floating):
            yield const
    for eqn in closed.jaxpr.eqns:
        for inner in nested_jaxprs(eqn):
            yield from constants(inner)


def named(
    fn: object, arrays: Iterable[Array], module_arrays: ModuleArrays
) -> list[tuple[str, Array]]:
    """Return those of ``arrays`` that ``fn`` reaches, each with its path.

    If all of them are in one module, its name is left out: ``lambda x: model(x)`` names the arrays
    as ``model`` does.

    Args:
        fn: the callable.
        arrays: constants of its trace.
        module_arrays: gives the named arrays of a framework's module.
    """
    wanted = {identity(a): a for a in arrays}
    if not wanted:
        return []
    found: dict[object, Path] = {}
    for path, array in _walk(fn, module_arrays):
        key = identity(array)
        if key not in wanted and array.dtype == np.float64:  # JAX traces a float32 copy of it
            key = next(
                (k for k, a in wanted.items() if k not in found and _narrowed(array, a)), key
            )
        if key in wanted and (key not in found or isinstance(path[0], OwnName)):
            found[key] = path
    paths = [path for path in found.values() if path and not isinstance(path[0], OwnName)]
    alone = len({p[0] for p in paths}) == 1 and isinstance(paths[0][0], _Variable)
    skip = int(alone and all(p[1:] and not p[1][:1].isdigit() for p in paths))
    return [(".".join(found[key][skip:]), array) for key, array in wanted.items() if found.get(key)]


def _narrowed(array: Array, const: Array) -> bool:
    """Return whether ``const`` is ``array``, a float64 one, in float32."""
    return bool(
        array.shape == const.shape
        and const.dtype == np.float32
        and np.array_equal(array.astype(const.dtype), const)
    )


def _walk(root: object, module_arrays: ModuleArrays) -> Iterator[tuple[Path, Array]]:
    """Yield all arrays below ``root`` with their paths, depth first."""
    seen: dict[int, object] = {}  # keeps the objects alive, so that their ids stay their own
    stack: list[Iterator[tuple[Path, object]]] = [iter([((), root)])]
    while stack:
        path, obj = next(stack[-1], (None, None))
        if path is None:
            stack.pop()
        elif id(obj) in seen or _is_proxy(obj) or isinstance(obj, _LEAVES):
            continue
        elif isinstance(obj, jax.Array | np.ndarray):
            yield path, obj
        else:
            seen[id(obj)] = obj
            stack.append(_below(path, _contents(obj, module_arrays)))


def _below(path: Path, contents: Iterable[tuple[Path, object]]) -> Iterator[tuple[Path, object]]:
    for step, inner in contents:
        yield step if step and isinstance(step[0], OwnName) else (*path, *step), inner


def _is_proxy(obj: object) -> bool:
    """Return whether an object pretends to be of another class, for which it may have to load."""
    return any("__class__" in vars(c) for c in type(obj).__mro__[:-1])


def _attribute(obj: object, name: str) -> Any:
    """Return an attribute, or None without it; no ``__getattr__`` runs, which could do anything."""
    known = inspect.getattr_static(obj, name, None) is not None
    return getattr(obj, name) if known else None


def _contents(obj: Any, module_arrays: ModuleArrays) -> Iterator[tuple[Path, object]]:
    """Yield what an object holds, with the steps to it; functions and wrappers are no steps."""
    if callable(obj) and not isinstance(obj, types.FunctionType):
        yield (), type(obj).__call__
    for wrapped in ("__wrapped__", "__self__", "__func__"):
        yield (), _attribute(obj, wrapped)
    module = module_arrays(obj)
    yield from _parts(obj) if module is None else module


def _parts(obj: Any) -> Iterator[tuple[Path, object]]:
    """Yield what an object that is no framework's module holds, with the steps to it."""
    if isinstance(obj, types.FunctionType):
        for name, value in _variables(obj):
            yield () if issubclass(type(value), _PLAIN) else (_Variable(name),), value
    elif isinstance(obj, dict):
        yield from (((str(key),), value) for key, value in obj.items())
    elif isinstance(obj, functools.partial):
        yield (), obj.func
        several = len(obj.args) > 1
        yield from (((str(i),) if several else (), a) for i, a in enumerate(obj.args))
        yield from (((name,), a) for name, a in obj.keywords.items())
    elif tree_util.all_leaves([obj]):
        if type(obj).__module__.partition(".")[0] not in _LIBRARIES:
            for name, value in [
                *(_attribute(obj, "__dict__") or {}).items(),
                *vars(type(obj)).items(),
            ]:
                yield () if issubclass(type(value), _PLAIN) else (name,), value
    else:
        flat, _ = flatten_with_path(obj, is_leaf=lambda node: node is not obj)
        yield from (((path_name(path),) if path else (), inner) for path, inner in flat)


def _variables(function: types.FunctionType) -> Iterator[tuple[str, object]]:
    """Yield the closure of a function and, unless it is a library's, the globals that it names."""
    library = str(function.__globals__.get("__name__")).partition(".")[0] in _LIBRARIES
    if library and hasattr(function, "__wrapped__"):
        return
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if cell != types.CellType():  # not yet assigned
            yield name, cell.cell_contents
    if not library:
        codes = [function.__code__]
        for code in codes:
            codes.extend(c for c in code.co_consts if isinstance(c, types.CodeType))
            for name in code.co_names:
                if name in function.__globals__:
                    yield name, function.__globals__[name]
