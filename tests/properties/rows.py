"""Add primitives to the table of random programs, with their operands and rounding errors."""
# ruff: noqa: D103  # The names of conditions are the documentation.

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from tests.properties.programs import Function, Row, Value

ROWS: list[Row] = []
Made = tuple[Function, Value]


def row(*takes: Callable[..., bool]) -> Callable[[Callable[..., Made]], Callable[..., Made]]:
    """Return a decorator that adds a function to the table."""

    def enter(make: Callable[..., Made]) -> Callable[..., Made]:
        ROWS.append(Row(make.__name__.strip("_"), takes, make))
        return make

    return enter


def rows(names: str, *takes: Callable[..., bool], like: Callable[..., Value]) -> None:
    """Add several primitives of one kind, for whose results ``like`` returns the bounds."""
    for name in names.split():
        function = getattr(jnp, name, None) or getattr(lax, name)
        ROWS.append(Row(name, takes, lambda draw, *xs, f=function: (f, like(*xs))))


# -- conditions on operands ----------------------------------------------------------------------


def anything(*values: Value) -> bool:
    return True


def number(*values: Value) -> bool:
    return values[-1].dtype.kind != "b"


def floating(*values: Value) -> bool:
    return values[-1].is_float


def exact(*values: Value) -> bool:
    """Return whether an operand is exact, so that a discontinuous function can be applied to it."""
    return values[-1].dtype.kind != "b" and values[-1].is_exact


def exact_float(*values: Value) -> bool:
    return values[-1].is_float and values[-1].is_exact


def whole(*values: Value) -> bool:
    return values[-1].is_int


def boolean(*values: Value) -> bool:
    return values[-1].dtype.kind == "b"


def ranked(*values: Value) -> bool:
    return bool(values[-1].shape)


def filled(*values: Value) -> bool:
    """Return whether an operand has an axis and at least one element."""
    return values[-1].size > 0 and bool(values[-1].shape)


def both(*conditions: Callable[..., bool]) -> Callable[..., bool]:
    return lambda *values: all(condition(*values) for condition in conditions)


def alike(*values: Value) -> bool:
    """Return whether an operand has the shape and dtype of the previous one."""
    *_, a, b = values
    return a.shape == b.shape and a.dtype == b.dtype


def joins(*values: Value) -> bool:
    """Return whether an operand has the previous one's dtype and broadcasts with it."""
    *_, a, b = values
    pairs = zip(a.shape[::-1], b.shape[::-1], strict=False)
    return a.dtype == b.dtype and all(m == n or 1 in (m, n) for m, n in pairs)


# -- bounds of results -----------------------------------------------------------------------------


def same(x: Value, *_: Value) -> Value:
    return x


def a_boolean(*_: Value) -> Value:
    return Value((), jnp.dtype(bool), 1)


def total(a: Value, b: Value) -> Value:
    return a.holds(a.bound + b.bound, min(a.step, b.step), a.error + b.error)


def product(a: Value, b: Value) -> Value:
    error = a.error * b.bound + b.error * a.bound + a.error * b.error
    return a.holds(a.bound * b.bound, a.step * b.step, error)


def either(a: Value, b: Value, *more: Value) -> Value:
    first = a.holds(max(a.bound, b.bound), min(a.step, b.step), max(a.error, b.error))
    return either(first, *more) if more else first


def small(*values: Value) -> bool:
    """Return whether the products of an operand's elements are in the range of every type."""
    return values[-1].dtype.kind != "b" and values[-1].bound <= 100
