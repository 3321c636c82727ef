"""The border between the graph and the callable: the layout of images, and boolean flags."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax

from jax2onnx.errors import InputError, ModelError

TO_NCHW, FROM_NCHW = (0, 3, 1, 2), (0, 2, 3, 1)

Permutable = TypeVar("Permutable")


def images(
    option: str,
    chosen: Sequence[int | str],
    names: Sequence[str],
    shapes: Sequence[tuple[Any, ...]],
) -> frozenset[int]:
    """Return the positions of inputs or outputs that are NCHW in the graph, NHWC in the callable.

    Args:
        option: the name of the argument, for errors.
        chosen: the indices or names that the user gave.
        names: the names of all inputs or outputs.
        shapes: their shapes, as the callable sees them.

    Raises:
        InputError: an index or a name that does not exist, or an array that is not of rank 4.
    """
    if isinstance(chosen, str) or not isinstance(chosen, Sequence):
        raise InputError(f"{option}={chosen!r}: give a list of indices or names")
    positions = set()
    for one in chosen:
        index = names.index(one) if isinstance(one, str) and one in names else one
        if isinstance(index, bool | str) or index not in range(len(names)):
            raise InputError(
                f"{option}: there is no {one!r}; choose of {list(names)} by name, or by index "
                f"from 0 to {len(names) - 1}"
            )
        if len(shapes[index]) != 4:
            raise InputError(
                f"{option}: {names[index]!r} has the shape {tuple(shapes[index])}; only an image "
                "batch of rank 4, (N, H, W, C) in JAX, can be (N, C, H, W) in the graph"
            )
        positions.add(int(index))
    return frozenset(positions)


def permuted(
    items: Sequence[Permutable], positions: frozenset[int], axes: tuple[int, ...]
) -> list[Permutable]:
    """Return arrays or shapes, the axes of those at ``positions`` permuted by ``axes``."""

    def permute(item: Any) -> Any:
        return tuple(item[a] for a in axes) if isinstance(item, tuple) else item.transpose(axes)

    return [permute(item) if i in positions else item for i, item in enumerate(items)]


def _raised_by_models() -> tuple[type[Exception], ...]:
    """Return the exceptions of a model that cannot be traced: Python's, JAX's and Flax's.

    ``SymbolicDimensionError`` is none of them: its own message says what to do.
    """
    python = (ArithmeticError, AssertionError, AttributeError, LookupError)
    flax = sys.modules.get("flax.errors")
    return (*python, RuntimeError, TypeError, ValueError, *([flax.FlaxError] if flax else []))


def branching(fn: Callable[..., Any], flags: Sequence[str]) -> Callable[..., Any]:
    """Return ``fn`` with boolean keyword arguments that it may use in a Python ``if``.

    A flag has two values: ``fn`` is traced with both, and ``jax.lax.cond`` chooses between the two,
    which becomes an ``If`` of the graph.

    Args:
        fn: the callable.
        flags: the names of its boolean keyword arguments.

    Raises:
        ModelError: ``fn`` cannot be traced with one of the values.
    """
    if not flags:
        return fn
    name, *rest = flags

    def call(*args: Any, **keywords: Any) -> Any:
        flag = keywords.pop(name)

        def branch(value: bool) -> Any:
            try:
                return branching(functools.partial(fn, **{name: value}), rest)(*args, **keywords)
            except _raised_by_models() as error:
                raise ModelError(
                    f"the graph has an input {name!r}, but the model cannot be traced with "
                    f"{name}={value}: {error}\nGive functools.partial(fn, {name}={not value}), "
                    f"without {name!r} in input_params=, or make the other value work."
                ) from error

        return jax.lax.cond(flag, lambda: branch(True), lambda: branch(False))

    return call
