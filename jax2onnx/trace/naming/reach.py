"""Arrays that a callable reaches without being handed them, by the path that a user would write.

JAX makes constants of what a lambda, ``jax.vmap(module)`` or a method finds in closures, globals
and attributes. Each constant is the very array that the callable holds, and so gets its name back.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax import tree_util
from jax.extend import core

from jax2onnx.trace.naming.paths import flatten_with_path, path_name

_LIBRARIES = frozenset(("jax", "jaxlib", "flax", "equinox", "numpy"))

_PLAIN = (types.FunctionType, types.MethodType, functools.partial)

Path = tuple[str, ...]
Held = Iterable[tuple[Path, Any]]


class _Variable(str):
    """A step that is the name of a variable."""

    __slots__ = ()


def identity(array: Any) -> object:
    """Equal for two references to one array: JAX hands numpy's on as views."""
    if isinstance(array, np.ndarray):
        return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype
    return id(array)


def constants(jaxpr: core.Jaxpr, consts: Sequence[Any]) -> Iterator[Any]:
    """The floating-point arrays among the constants of a jaxpr and of all that are nested in it.

    Integers and booleans are left out: lowering takes a constant index or mask as what it is.
    """
    for const in consts:
        floating = not isinstance(const, jax.core.Tracer) and np.size(const) > 1
        if floating and jax.numpy.issubdtype(const.dtype, np.floating):
            yield const
    for eqn in jaxpr.eqns:
        for param in eqn.params.values():
            for inner in param if isinstance(param, tuple) else (param,):
                if isinstance(inner, core.ClosedJaxpr):
                    yield from constants(inner.jaxpr, inner.consts)
                elif isinstance(inner, core.Jaxpr):
                    yield from constants(inner, ())


def named(
    fn: Any, arrays: Iterable[Any], split: Callable[[Any], Held | None]
) -> list[tuple[str, Any]]:
    """Those of ``arrays`` that ``fn`` reaches, with their names.

    A module that alone is reached lends no name: ``lambda x: model(x)`` names its arrays as
    ``model`` does.

    Args:
        fn: the callable.
        arrays: constants of its trace.
        split: the named arrays of a framework's module, which is no pytree.
    """
    wanted = {identity(a): a for a in arrays}
    if not wanted:
        return []
    found: dict[object, Path] = {}
    for path, array in _walk(fn, (), split, {}):
        key = identity(array)
        if key not in wanted and array.dtype == np.float64:  # of which JAX traces a copy
            key = next(
                (k for k, a in wanted.items() if k not in found and _narrowed(array, a)), key
            )
        if key in wanted:
            found.setdefault(key, path)
    paths = [path for path in found.values() if path]
    alone = len({p[0] for p in paths}) == 1 and isinstance(paths[0][0], _Variable)
    skip = int(alone and all(p[1:] and not p[1][:1].isdigit() for p in paths))
    return [(".".join(found[key][skip:]), array) for key, array in wanted.items() if found.get(key)]


def _narrowed(array: Any, const: Any) -> bool:
    return bool(
        array.shape == const.shape
        and const.dtype == np.float32
        and np.array_equal(array.astype(const.dtype), const)
    )


def _walk(
    obj: Any, path: Path, split: Callable[[Any], Held | None], seen: dict[int, Any]
) -> Iterator[tuple[Path, Any]]:
    """All arrays below ``obj``, the nearest name first."""
    if isinstance(obj, jax.Array | np.ndarray):
        yield path, obj
        return
    if id(obj) in seen or isinstance(obj, type | types.ModuleType | str | int | float):
        return
    seen[id(obj)] = obj  # which keeps it, and thereby its id
    for step, inner in _inside(obj, split):
        yield from _walk(inner, (*path, *step), split, seen)


def _inside(obj: Any, split: Callable[[Any], Held | None]) -> Iterator[tuple[Path, Any]]:
    """What an object holds, and the steps that lead there; functions and wrappers are no steps."""
    if callable(obj) and not isinstance(obj, types.FunctionType):
        yield (), type(obj).__call__
    for wrapped in ("__wrapped__", "__self__", "__func__"):
        if hasattr(obj, wrapped):
            yield (), getattr(obj, wrapped)
    module = split(obj)
    yield from _parts(obj) if module is None else module


def _parts(obj: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(obj, types.FunctionType):
        for name, value in _variables(obj):
            yield () if isinstance(value, _PLAIN) else (_Variable(name),), value
    elif isinstance(obj, dict):
        yield from (((str(key),), value) for key, value in obj.items())
    elif isinstance(obj, functools.partial):
        yield (), obj.func
        several = len(obj.args) > 1
        yield from (((str(i),) if several else (), a) for i, a in enumerate(obj.args))
        yield from (((name,), a) for name, a in obj.keywords.items())
    elif tree_util.all_leaves([obj]):
        if type(obj).__module__.partition(".")[0] not in _LIBRARIES | sys.stdlib_module_names:
            for name, value in [*getattr(obj, "__dict__", {}).items(), *vars(type(obj)).items()]:
                yield () if isinstance(value, _PLAIN) else (name,), value
    else:
        flat, _ = flatten_with_path(obj, is_leaf=lambda node: node is not obj)
        yield from (((path_name(path),) if path else (), inner) for path, inner in flat)


def _variables(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """The closure of a function and, unless it is a library's, the globals that it names."""
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
