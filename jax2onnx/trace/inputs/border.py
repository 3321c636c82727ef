"""What stands between the graph's border and the callable: the layout of images, flags."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax

from jax2onnx.errors import InputError, ModelError

TO_NCHW, FROM_NCHW = (0, 3, 1, 2), (0, 2, 3, 1)


def images(
    option: str, chosen: Sequence[int | str], names: Sequence[str], shapes: Sequence[Any]
) -> frozenset[int]:
    """Positions of the inputs or outputs that are NCHW in the graph and NHWC in the callable.

    Args:
        option: the name of the argument, for errors.
        chosen: what the user gave: indices or names.
        names: of all inputs or outputs.
        shapes: theirs, as the callable sees them.

    Raises:
        InputError: an index or a name that there is none of, or an array that is not of rank 4.
    """
    if isinstance(chosen, str) or not isinstance(chosen, Sequence):
        raise InputError(f"{option}={chosen!r}: give a list of indices or names")
    positions = set()
    for one in chosen:
        index: Any = names.index(one) if one in names else one
        if isinstance(index, bool) or index not in range(len(names)):
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


def permuted(items: Sequence[Any], positions: frozenset[int], axes: tuple[int, ...]) -> list[Any]:
    """Arrays or shapes, those at ``positions`` with their axes permuted."""
    return [
        item
        if i not in positions
        else tuple(item[a] for a in axes)
        if isinstance(item, tuple)
        else item.transpose(axes)
        for i, item in enumerate(items)
    ]


def _raised_by_models() -> tuple[type[Exception], ...]:
    """What a model raises where it cannot be traced: Python's errors, JAX's among them, or Flax's.

    A dimension that cannot be decided is none of these: its own message says what to do.
    """
    python = (ArithmeticError, AssertionError, AttributeError, LookupError)
    flax = sys.modules.get("flax.errors")
    return (*python, RuntimeError, TypeError, ValueError, *([flax.FlaxError] if flax else []))


def branching(fn: Callable[..., Any], flags: Sequence[str]) -> Callable[..., Any]:
    """``fn`` with boolean keyword arguments that it may use in a Python ``if``.

    A flag has two values: both are traced, and the graph chooses between the two by an ``If``.

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
