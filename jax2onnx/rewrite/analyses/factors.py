"""Axes as products of factors, which reshapes split and merge and transposes move.

An axis is a sequence of factors, the first of which varies slowest; an axis of size 1 has none. If
the same factor stands in the axes of two values, it is the same index of both.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeAlias

import onnx_ir as ir

from jax2onnx.graph.shapes import VIEWS
from jax2onnx.graph.sizes import Dim, Dims, quotient
from jax2onnx.rewrite.analyses.nodes import made_by, the_input
from jax2onnx.rewrite.analyses.shapes import view
from jax2onnx.rewrite.analyses.values import dims, permutation, rank
from jax2onnx.rewrite.engine.editor import Editor


class Factor:
    """One index, until a reshape shows that it is made of two.

    Args:
        size: The number of its values.

    Iterating over a factor yields the factors that it is made of; itself, if it is not split.
    """

    def __init__(self, size: Dim) -> None:
        self.size = size
        self._parts: tuple[Factor, ...] = ()

    def __iter__(self) -> Iterator[Factor]:
        if not self._parts:
            yield self
        for part in self._parts:
            yield from part

    def split(self, outer: Dim, inner: Dim) -> tuple[Factor, Factor]:
        """Split the factor into an outer one, which varies more slowly, and an inner one."""
        parts = self._parts = Factor(outer), Factor(inner)
        return parts


Axis: TypeAlias = tuple[Factor, ...]


@dataclass(frozen=True)
class Labelled:
    """A value and the factors of its axes.

    Attributes:
        value: The value.
        given: The factors of each of its axes, as they were known when this was made.
    """

    value: ir.Value
    given: tuple[Axis, ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The factors of each axis, none of which is known to be made of others."""
        return tuple(tuple(flattened([axis])) for axis in self.given)

    def source(self, *, spread: bool = False) -> Labelled | None:
        """Return what this value is a transpose or a view of; with ``spread``, or an Expand."""
        node = made_by(self.value, "Transpose", *VIEWS, *(["Expand"] if spread else []))
        return None if node is None else self.through(node, the_input(node), up=True)

    def through(self, node: ir.Node, other: ir.Value, *, up: bool = False) -> Labelled | None:
        """Return the labels of the value on the other side of a node.

        Args:
            node: A Transpose, a view, or with ``up`` an Expand.
            other: The node's output, if this value is its input; with ``up`` the reverse.
            up: Whether to go from the output to the input.

        Returns:
            None if the node is another operator, or does not keep factors apart.
        """
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
        """Whether each symbolic factor is an axis by itself, so that Shape can read its size."""
        return all(extent(axis) is not None for axis in self.axes)

    def arranged(
        self, editor: Editor, place: ir.Node, axes: Sequence[Axis], shape: Dims
    ) -> ir.Value:
        """Return the value with its factors in other axes.

        Args:
            editor: The editor of the graph.
            place: The node in front of which nodes are added.
            axes: All factors of the value, in the axes that it shall have.
            shape: The sizes of these axes.
        """
        own: Sequence[Axis] = self.axes
        axes, value = [tuple(flattened([axis])) for axis in axes], self.value
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
    """Return the factors of all axes, in order, none of which is known to be made of others."""
    return [leaf for axis in axes for factor in axis for leaf in factor]


def fresh(size: Dim) -> Axis:
    """Return an axis of one new factor."""
    return () if size == 1 else (Factor(size),)


def extent(axis: Axis) -> Dim | None:
    """Return the size of an axis; None if it is the product of several symbolic factors."""
    if len(axis) == 1:
        return axis[0].size
    sizes = [f.size for f in axis if isinstance(f.size, int)]
    return math.prod(sizes) if len(sizes) == len(axis) else None


def broadcast_to(value: ir.Value, like: Labelled) -> Labelled | None:
    """Return the labels of a value that is broadcast to ``like``; None if it cannot be."""
    aligned = list(zip_longest(dims(value)[::-1], dims(like.value)[::-1], like.given[::-1]))
    if rank(value) > len(like.given) or any(d not in (1, other, None) for d, other, _ in aligned):
        return None
    axes = [() if d == 1 else axis for d, _, axis in aligned[: rank(value)]]
    return Labelled(value, tuple(axes[::-1]))


def _regrouped(factors: list[Factor], shape: Dims) -> tuple[Axis, ...] | None:
    """Return the factors in the axes of a view of this shape, having split them as needed."""
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
