"""Queries, keys and values: which of their factors are the batch, the heads, the tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import onnx_ir as ir

from jax2onnx.graph.sizes import Dim
from jax2onnx.rewrite.analyses.factors import Axis, Factor, Labelled, extent, flattened
from jax2onnx.rewrite.analyses.shapes import size, view
from jax2onnx.rewrite.engine.editor import Editor

Axes: TypeAlias = tuple[Axis, Axis, Axis, Axis]
"""The axes (batch, heads, tokens, d), or (batch, tokens, heads, d)."""

Ways: TypeAlias = Sequence[tuple[Labelled, float]]
"""The values that an operand can be read from, nearest first, and what each is multiplied with."""


def by_token(axes: Axes) -> Axes:
    """Return (batch, heads, tokens, d) as (batch, tokens, heads, d), and the reverse."""
    batch, heads, tokens, width = axes
    return batch, tokens, heads, width


@dataclass(frozen=True)
class Roles:
    """The factors that are the axes of an attention.

    Attributes:
        batch: The batch.
        heads: The heads of the keys and values.
        groups: The queries' heads that share a head of the keys.
        queries, keys: The tokens of the queries and of the keys.
        width: The elements of a head of the queries and keys.
        values: The elements of a head of the values.
    """

    batch: Axis
    heads: Axis
    groups: Axis
    queries: Axis
    keys: Axis
    width: Axis
    values: Axis

    @property
    def scores(self) -> Axes:
        """The axes (batch, heads, queries, keys) of the scores."""
        return self.batch, self.heads + self.groups, self.queries, self.keys

    @property
    def result(self) -> Axes:
        """The axes (batch, heads, queries, d) of the result."""
        return (*self.scores[:3], self.values)

    @property
    def operands(self) -> tuple[Axes, Axes, Axes]:
        """The axes (batch, heads, tokens, d) of the queries, keys and values."""
        keys = self.batch, self.heads, self.keys
        return (*self.scores[:3], self.width), (*keys, self.width), (*keys, self.values)


@dataclass(frozen=True)
class Heads:
    """Queries, keys or values.

    Attributes:
        found: The value that they are read from.
        axes: The factors that are their axes (batch, heads, tokens, d).
        scale: The number that they are multiplied with afterwards.
    """

    found: Labelled
    axes: Axes
    scale: float = 1.0

    def by_token(self) -> bool:
        """Return whether the value is a view of (batch, tokens, heads, d)."""
        return flattened(self.found.axes) == flattened(by_token(self.axes))

    def by_head(self) -> bool:
        """Return whether the value is a view of (batch, heads, tokens, d)."""
        return flattened(self.found.axes) == flattened(self.axes)

    @property
    def flat(self) -> Dim | None:
        """The size of heads * d."""
        return extent(self.axes[1] + self.axes[3])

    def tokens(self, editor: Editor, place: ir.Node) -> ir.Value:
        """Return the number of tokens, an int64 vector of one element."""
        number, tokens = extent(self.axes[2]), self.axes[2]
        if isinstance(number, int):
            return editor.constant([number])
        return size(editor, place, self.found.value, self.found.axes.index(tokens))

    def given(self, editor: Editor, place: ir.Node, *, flat: bool) -> ir.Value:
        """Return the value as (batch, tokens, heads * d), or as (batch, heads, tokens, d)."""
        batch, heads, tokens, width = (extent(a) or 0 for a in self.axes)
        if flat:
            return view(editor, place, self.found.value, (batch, tokens, self.flat or 0))
        return self.found.arranged(editor, place, self.axes, (batch, heads, tokens, width))


Operands: TypeAlias = tuple[Heads, Heads, Heads]
"""Queries, keys and values."""


def readings(ways: tuple[Ways, Ways, Ways], keys: Axis) -> Iterator[tuple[Roles, Operands]]:
    """Yield the ways to read queries, keys and values, those first that need no Transpose.

    Args:
        ways: The values that queries, keys and values can be read from. The last two axes of the
            nearest ones are those of the matrices that are multiplied, in either order.
        keys: The tokens of the keys.
    """
    found: list[tuple[Roles, list[list[Heads]]]] = []
    for roles in dict.fromkeys(_roles(ways, keys)):
        sides = zip(ways, roles.operands, strict=True)
        found.append((roles, [list(_fitting(way, axes)) for way, axes in sides]))
    layouts: tuple[Callable[[Heads], bool], ...] = (Heads.by_token, Heads.by_head, lambda _: True)
    for fits in layouts:
        for roles, choices in found:
            q, k, v = (next(filter(fits, choice), None) for choice in choices)
            if q is not None and k is not None and v is not None:
                yield roles, (q, k, v)


def _fitting(ways: Ways, axes: Axes) -> Iterator[Heads]:
    """Yield the values of which these are all factors, the farthest first."""
    factors = Counter(flattened(axes))
    for found, scale in reversed(ways):
        if found.named and Counter(flattened(found.axes)) == factors:
            yield Heads(found, axes, scale)


def _roles(ways: tuple[Ways, Ways, Ways], keys: Axis) -> Iterator[Roles]:
    """Yield the roles that the factors may have, the likely ones first."""
    (*_, one, other), (*_, second, third) = (way[0][0].axes for way in ways[1:])
    width = other if one == keys else one
    values = third if second == keys else second
    for k, _ in reversed(ways[1]):
        for batch, heads in _shared(k, keys, width):
            for q, _ in reversed(ways[0]):
                for queries, groups in _own(q, batch, heads, width):
                    yield Roles(batch, heads, groups, queries, keys, width, values)


def _shared(found: Labelled, keys: Axis, width: Axis) -> Iterator[tuple[Axis, Axis]]:
    """Yield the batch and the heads of keys, split where the value has its axes."""
    rest, axes = _without(flattened(found.axes), (), width), _four(found)
    if rest is None:
        return
    if not keys:
        batch = axes[0] if len(axes) > 2 else ()
        yield batch, tuple(rest[len(batch) :])
        return
    for i in range(len(rest)):
        if tuple(rest[i : i + len(keys)]) == keys:
            batch, heads = tuple(rest[:i]), tuple(rest[i + len(keys) :])
            if not heads and len(axes) > 3 and axes[-2] == keys:
                heads = axes[-3]
                batch = batch[: len(batch) - len(heads)]
            yield batch, heads


def _own(found: Labelled, batch: Axis, heads: Axis, width: Axis) -> Iterator[tuple[Axis, Axis]]:
    """Yield the tokens of queries, and the heads that they have for each head of the keys."""
    rest = _without(flattened(found.axes), batch, width)
    if rest is None:
        return
    # By token, the heads of the keys follow the tokens. By head, the tokens follow the heads.
    ends = [i for i in range(len(rest) + 1) if tuple(rest[i : i + len(heads)]) == heads]
    axes = _four(found)
    near = _near(len(_slot(axes, 3 if len(axes) > 3 else 2)))
    after = [(rest[:i], rest[i + len(heads) :]) for i in sorted(ends, key=near)]
    before = []
    if 0 in ends:
        mixed = rest[len(heads) :]
        near = _near(len(mixed) - len(_slot(found.axes, 2)))
        before = [(mixed[i:], mixed[:i]) for i in sorted(range(len(mixed) + 1), key=near)]
    by_head = heads and heads[0] in flattened(found.axes[:2])
    for tokens, groups in before + after if by_head else after + before:
        yield tuple(tokens), tuple(groups)


def _near(number: int) -> Callable[[int], int]:
    return lambda i: abs(i - number)


def _slot(axes: Sequence[Axis], place: int) -> Axis:
    """Return the axis at a place counted from the last one, or the first one."""
    return axes[-min(place, len(axes))] if axes else ()


def _four(found: Labelled) -> list[Axis]:
    """Return the axes of a value, with those of size 1 only where there are no four others."""
    axes = list(found.axes)
    while len(axes) > 4 and () in axes:
        axes.remove(())
    return axes


def _without(factors: list[Factor], first: Axis, last: Axis) -> list[Factor] | None:
    """Return the factors between the first and the last ones; None if they are others."""
    end = len(factors) - len(last)
    if tuple(factors[: len(first)]) != first or tuple(factors[end:]) != last or end < len(first):
        return None
    return factors[len(first) : end]
