"""Patterns: what a small expression looks like in a graph.

``op.Mul(x, 0.5)`` matches the output of such a node, its operands in either order where the
operator commutes. `product` matches a product however it is bracketed, its constants multiplied
out. A `Var` is the same value wherever it occurs. A number is a constant of one element, equal up
to the rounding of its type.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any, TypeAlias

import onnx_ir as ir

from jax2onnx.rewrite.analyses.values import (
    attribute,
    dims,
    made_by,
    scalar,
    stands_for,
    the_input,
    users,
)
from jax2onnx.rewrite.engine.editor import Editor, Operators

Match: TypeAlias = Mapping[str, ir.Value]
"""The value of each variable."""

_MANY = 4

COMMUTATIVE = frozenset(("Add", "And", "Equal", "Max", "Min", "Mul", "Or", "Xor"))

_PRECISION = {
    ir.DataType.BFLOAT16: 2.0**-7,
    ir.DataType.FLOAT16: 2.0**-9,
    ir.DataType.FLOAT: 2.0**-21,
    ir.DataType.DOUBLE: 2.0**-50,
}
"""By how much, relatively, a constant may differ from what is asked for: a few roundings."""


def is_number(value: ir.Value | None, number: float) -> bool:
    """Whether ``value`` is a constant of one element that is ``number``, up to rounding."""
    found = scalar(value)
    return found is not None and value is not None and _close(found, number, value)


def _close(found: float, number: float, value: ir.Value) -> bool:
    tolerance = _PRECISION.get(value.dtype, 0.0) if value.dtype is not None else 0.0
    return found == number or abs(found - number) <= tolerance * abs(number)


class Pattern(ABC):
    """What a value may look like."""

    roots: frozenset[str] = frozenset()
    """The operators that may compute such a value; empty if that is open."""

    @abstractmethod
    def match(self, value: ir.Value | None, bound: Match) -> Iterator[Match]:
        """The ways in which ``value`` is like this, each as more variables bound."""


@dataclass(frozen=True)
class Var(Pattern):
    """Any value that ``where`` accepts, the same one at each occurrence of ``name``."""

    name: str
    where: Callable[[ir.Value], bool] | None = None

    def match(self, value: ir.Value | None, bound: Match) -> Iterator[Match]:
        """Binds the name, or finds it bound to this value."""
        if value is None:
            return
        known = bound.get(self.name)
        if known is None:
            if self.where is None or self.where(value):
                yield {**bound, self.name: value}
        elif known is value:
            yield bound


@dataclass(frozen=True)
class _Number(Pattern):
    number: float

    def match(self, value: ir.Value | None, bound: Match) -> Iterator[Match]:
        if is_number(value, self.number):
            yield bound


class _Node(Pattern):
    def __init__(self, op_type: str, operands: tuple[Pattern, ...], attributes: Mapping[str, Any]):
        self.roots = frozenset((op_type,))
        self._op_type = op_type
        self._operands = operands
        self._attributes = attributes

    def match(self, value: ir.Value | None, bound: Match) -> Iterator[Match]:
        node = made_by(value, self._op_type)
        if node is None or len(node.inputs) != len(self._operands):
            return
        if any(attribute(node, k) != v for k, v in self._attributes.items()):
            return
        yield from _all(self._operands, node.inputs, bound)
        if self._op_type in COMMUTATIVE and node.inputs[0] is not node.inputs[1]:
            yield from _all(self._operands, tuple(reversed(node.inputs)), bound)


class _Primitive(Pattern):
    def __init__(self, name: str, operands: tuple[Pattern, ...]):
        self._name = name
        self._operands = operands

    def match(self, value: ir.Value | None, bound: Match) -> Iterator[Match]:
        found = None if value is None else stands_for(value)
        if found is not None and found.name == self._name:
            yield from _all(self._operands, found.operands, bound)


def _all(patterns: tuple[Pattern, ...], values: Any, bound: Match) -> Iterator[Match]:
    if not patterns:
        yield bound
        return
    for more in patterns[0].match(values[0], bound):
        yield from _all(patterns[1:], values[1:], more)


class _Product(Pattern):
    roots = frozenset(("Div", "Mul", "Neg"))

    def __init__(self, coefficient: float, factors: tuple[Pattern, ...]):
        self.coefficient = coefficient
        self.factors = factors

    def match(self, value: ir.Value | None, bound: Match) -> Iterator[Match]:
        if value is None:
            return
        for coefficient, factors in _factorings(value, len(self.factors)):
            if len(factors) == len(self.factors) and _close(coefficient, self.coefficient, value):
                for order in permutations(factors):
                    yield from _all(self.factors, order, bound)


def _factorings(value: ir.Value, most: int) -> Iterator[tuple[float, tuple[ir.Value, ...]]]:
    """Every way to write ``value`` as a number times at most ``most`` values."""
    number = scalar(value)
    if number is not None:
        yield number, ()
        return
    if most:
        yield 1.0, (value,)
    node = made_by(value, "Mul", "Div", "Neg")
    if node is None:
        return
    if node.op_type == "Mul":
        for left, some in _factorings(the_input(node), most):
            for right, others in _factorings(the_input(node, 1), most - len(some)):
                yield left * right, (*some, *others)
        return
    divisor = -1.0 if node.op_type == "Neg" else scalar(node.inputs[1])
    if divisor:
        for coefficient, factors in _factorings(the_input(node), most):
            yield coefficient / divisor, factors


def _pattern(operand: Pattern | float) -> Pattern:
    return operand if isinstance(operand, Pattern) else _Number(float(operand))


class _Operators:
    """``op.Mul(x, 0.5)``: a node of the standard operators; keywords are its attributes."""

    def __getattr__(self, op_type: str) -> Callable[..., Pattern]:
        def pattern(*operands: Pattern | float, **attributes: Any) -> Pattern:
            return _Node(op_type, tuple(map(_pattern, operands)), attributes)

        return pattern


op = _Operators()


def primitive(name: str, *operands: Pattern | float) -> Pattern:
    """What a primitive of JAX was lowered to that ONNX has no operator for, such as erfc."""
    return _Primitive(name, tuple(map(_pattern, operands)))


def product(*factors: Pattern | float) -> Pattern:
    """The product of all factors, in any order and however it is bracketed."""
    coefficient = 1.0
    rest: list[Pattern] = []
    for factor in factors:
        if isinstance(factor, _Product):
            coefficient *= factor.coefficient
            rest += factor.factors
        elif isinstance(factor, Pattern):
            rest.append(factor)
        else:
            coefficient *= factor
    return _Product(coefficient, tuple(rest))


def match(pattern: Pattern, value: ir.Value | None) -> Match | None:
    """The first way in which ``value`` is like ``pattern``."""
    return next(pattern.match(value, {}), None)


def ancestors(node: ir.Node, reach: int) -> Iterator[ir.Node]:
    """``node``, what reads it, what reads that, and so on ``reach`` times; nearer ones first.

    What many read is no inner part of an expression: its readers are not followed.
    """
    level = {node: None}
    for _ in range(reach + 1):
        yield from level
        values = [v for n in level for v in n.outputs if len(v.uses()) <= _MANY]
        level = {u: None for v in values for u in users(v)}


@dataclass(frozen=True)
class PatternRule:
    """A rule that puts ``build`` in the place of whatever looks like one of ``patterns``.

    It is tried on the nodes at most ``reach`` steps below the one that called it to mind. It leaves
    the graph as it is where ``build`` gives None.
    """

    patterns: tuple[Pattern, ...]
    build: Callable[[Operators, Match], ir.Value | None]
    reach: int = 4

    def __call__(self, editor: Editor, node: ir.Node) -> bool:
        """Replaces the nearest expression around ``node`` that fits."""
        for root in ancestors(node, self.reach):
            for pattern in self.patterns:
                if root.op_type in pattern.roots and self._replace(editor, root, pattern):
                    return True
        return False

    def _replace(self, editor: Editor, root: ir.Node, pattern: Pattern) -> bool:
        old = root.outputs[0]
        found = match(pattern, old)
        if found is None:
            return False
        new = self.build(editor.before(root), found)
        if new is None:
            return False
        if dims(new) != dims(old):  # a constant of one element may still have many axes
            editor.erase(new.producer())  # type: ignore[arg-type]
            return False
        editor.replace(old, new)
        return True
