"""What axes are made of: a reshape merges and splits them, a transpose moves what they are made of.

An axis is a sequence of factors, the first varying slowest. The same factor in the axes of two
values is the same index. Axes of size 1 have none.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeAlias

import onnx_ir as ir

from jax2onnx.graph.sizes import Dim, Dims, quotient
from jax2onnx.rewrite.analyses.shapes import view
from jax2onnx.rewrite.analyses.values import (
    VIEWS,
    dims,
    made_by,
    permutation,
    rank,
    the_input,
)
from jax2onnx.rewrite.engine.editor import Editor


class Factor:
    """An index of its own, until it turns out to be made of two."""

    def __init__(self, size: Dim) -> None:
        self.size = size
        self._parts: tuple[Factor, ...] = ()

    def __iter__(self) -> Iterator[Factor]:
        if not self._parts:
            yield self
        for part in self._parts:
            yield from part

    def split(self, outer: Dim, inner: Dim) -> tuple[Factor, Factor]:
        """Makes it two."""
        parts = self._parts = Factor(outer), Factor(inner)
        return parts


Axis: TypeAlias = tuple[Factor, ...]


@dataclass(frozen=True)
class Labelled:
    """A value and what its axes are made of."""

    value: ir.Value
    given: tuple[Axis, ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes, each in factors that are not known to be made of others."""
        return tuple(tuple(leaf for f in axis for leaf in f) for axis in self.given)

    def source(self, *, spread: bool = False) -> Labelled | None:
        """What the value is a transpose or a view of, or with ``spread`` was broadcast from."""
        node = made_by(self.value, "Transpose", *VIEWS, *(["Expand"] if spread else []))
        return None if node is None else self.through(node, the_input(node), up=True)

    def through(self, node: ir.Node, other: ir.Value, *, up: bool = False) -> Labelled | None:
        """``other`` behind ``node``, a transpose or a view of this value, or in front of it."""
        perm = permutation(node.outputs[0])
        if perm is not None:
            order = [perm.index(a) for a in range(len(perm))] if up else perm
            return Labelled(other, tuple(self.given[a] for a in order))
        if node.op_type == "Expand":
            return broadcast_to(other, self) if up else None
        if node.op_type not in VIEWS or 0 in dims(other):
            return None
        found = _regrouped(flattened(self.axes), dims(other))
        return None if found is None else Labelled(other, found)

    @property
    def named(self) -> bool:
        """Whether each symbolic factor is an axis by itself, so that its size can be read off."""
        return all(extent(axis) is not None for axis in self.axes)

    def arranged(
        self, editor: Editor, place: ir.Node, axes: Sequence[Axis], shape: Dims
    ) -> ir.Value:
        """The value with these axes, made of all its factors, of these sizes."""
        own: Sequence[Axis] = self.axes
        value = self.value
        if flattened(own) == flattened(axes):
            return view(editor, place, value, shape)
        if Counter(own) != Counter(axes):
            own, axes = ([(f,) for f in flattened(some)] for some in (own, axes))
            value = view(editor, place, value, tuple(f.size for (f,) in own))
        perm: list[int] = []
        for axis in axes:
            perm.append(next(i for i, a in enumerate(own) if a == axis and i not in perm))
        sizes = tuple(dims(value)[a] for a in perm)
        value = editor.before(place).Transpose(value, perm=perm, shape=sizes)
        return view(editor, place, value, shape)


def flattened(axes: Sequence[Axis]) -> list[Factor]:
    """The factors of all axes."""
    return [factor for axis in axes for factor in axis]


def fresh(size: Dim) -> Axis:
    """An axis of an index of its own."""
    return () if size == 1 else (Factor(size),)


def extent(axis: Axis) -> Dim | None:
    """The size of an axis; None where it has no name."""
    if len(axis) == 1:
        return axis[0].size
    sizes = [f.size for f in axis if isinstance(f.size, int)]
    return math.prod(sizes) if len(sizes) == len(axis) else None


def broadcast_to(value: ir.Value, like: Labelled) -> Labelled | None:
    """``value`` beside what has the axes of ``like``; None if it is the larger one."""
    aligned = list(zip_longest(dims(value)[::-1], dims(like.value)[::-1], like.given[::-1]))
    if rank(value) > len(like.given) or any(d not in (1, other, None) for d, other, _ in aligned):
        return None
    axes = [() if d == 1 else axis for d, _, axis in aligned[: rank(value)]]
    return Labelled(value, tuple(axes[::-1]))


def _regrouped(factors: list[Factor], shape: Dims) -> tuple[Axis, ...] | None:
    """The factors in the axes of a view of this shape, cut in two where it takes that."""
    result, queue = [], factors[::-1]
    for size in shape:
        group, left = [], size
        while left != 1:
            if not queue:
                return None
            factor = queue.pop()
            rest = quotient(left, factor.size)
            if rest is None:
                inner = quotient(factor.size, left)
                if inner is None:
                    return None
                factor, other = factor.split(left, inner)
                queue.append(other)
                rest = 1
            group.append(factor)
            left = rest
        result.append(tuple(group))
    return None if queue else tuple(result)
