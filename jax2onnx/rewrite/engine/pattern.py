"""Patterns of small expressions, and the rule that replaces them.

- ``op.Mul(x, 0.5)`` matches the output of such a node. If the operator commutes, the operands may
  stand in either order.
- `product` matches a product of the factors however it is bracketed; its constants are multiplied.
- `primitive` matches a primitive of JAX that lowering decomposed.
- `Var` matches any value, and the same one wherever its name occurs.
- A number matches a constant of one element that is equal up to the rounding of its type.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any, TypeAlias

import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import attribute, made_by, maker, the_input, users
from jax2onnx.rewrite.analyses.values import dims, scalar, stands_for
from jax2onnx.rewrite.engine.editor import Editor, Operators

Match: TypeAlias = Mapping[str, ir.Value]
"""The values that variables were matched with, by name."""

_MANY = 4
"""Readers above which a value is taken for no inner part of an expression."""

COMMUTATIVE = frozenset(("Add", "And", "Equal", "Max", "Min", "Mul", "Or", "Xor"))

_PRECISION = {
    ir.DataType.BFLOAT16: 2.0**-7,
    ir.DataType.FLOAT16: 2.0**-9,
    ir.DataType.FLOAT: 2.0**-21,
    ir.DataType.DOUBLE: 2.0**-50,
}
"""Relative differences up to which a constant counts as a number: a few roundings."""


def is_number(value: ir.Value | None, number: float) -> bool:
    """Return whether ``value`` is a constant of one element that is ``number``, up to rounding."""
    found = scalar(value)
    return found is not None and value is not None and _close(found, number, value)


def _close(found: float, number: float, value: ir.Value) -> bool:
    tolerance = _PRECISION.get(value.dtype, 0.0) if value.dtype is not None else 0.0
    return found == number or abs(found - number) <= tolerance * abs(number)


class Pattern(ABC):
    """A description of an expression, which values are matched with.

    Attributes:
        roots: The operators that may compute a matching value; empty if any may.
    """

    roots: frozenset[str] = frozenset()

    @abstractmethod
    def match(self, value: ir.Value | None, bound: Match) -> Iterator[Match]:
        """Yield the ways in which ``value`` matches.

        Args:
            value: The value; None for an optional input that is left out.
            bound: The variables that are matched already.

        Yields:
            ``bound`` with the variables of this pattern added.
        """


@dataclass(frozen=True)
class Var(Pattern):
    """Any value, the same one at each occurrence of the name.

    Attributes:
        name: The name under which a match has the value.
        where: A condition that the value must meet.
    """

    name: str
    where: Callable[[ir.Value], bool] | None = None

    def match(self, value: ir.Value | None, bound: Match) -> Iterator[Match]:
        """Bind the name to the value, or compare the value with the one that it is bound to."""
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


@dataclass(frozen=True)
class _Primitive(Pattern):
    name: str
    operands: tuple[Pattern, ...]

    def match(self, value: ir.Value | None, bound: Match) -> Iterator[Match]:
        found = None if value is None else stands_for(value)
        if found is not None and found.name == self.name:
            yield from _all(self.operands, found.operands, bound)


def _all(patterns: tuple[Pattern, ...], values: Any, bound: Match) -> Iterator[Match]:
    if not patterns:
        yield bound
        return
    for more in patterns[0].match(values[0], bound):
        yield from _all(patterns[1:], values[1:], more)


@dataclass(frozen=True)
class _Product(Pattern):
    roots = frozenset(("Div", "Mul", "Neg"))
    coefficient: float
    factors: tuple[Pattern, ...]

    def match(self, value: ir.Value | None, bound: Match) -> Iterator[Match]:
        if value is None:
            return
        for coefficient, factors in _factorings(value, len(self.factors)):
            if len(factors) == len(self.factors) and _close(coefficient, self.coefficient, value):
                for order in permutations(factors):
                    yield from _all(self.factors, order, bound)


def _factorings(value: ir.Value, most: int) -> Iterator[tuple[float, tuple[ir.Value, ...]]]:
    """Yield all ways to write ``value`` as a number times at most ``most`` values."""
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
    """``op.Mul(x, 0.5)`` is the pattern of a Mul; keyword arguments are the node's attributes."""

    def __getattr__(self, op_type: str) -> Callable[..., Pattern]:
        def pattern(*operands: Pattern | float, **attributes: Any) -> Pattern:
            return _Node(op_type, tuple(map(_pattern, operands)), attributes)

        return pattern


op = _Operators()


def primitive(name: str, *operands: Pattern | float) -> Pattern:
    """Return the pattern of a primitive of JAX that lowering marks, such as ``erfc``."""
    return _Primitive(name, tuple(map(_pattern, operands)))


def product(*factors: Pattern | float) -> Pattern:
    """Return the pattern of the product of all factors, in any order and however bracketed."""
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
    """Return the first match of ``value`` with ``pattern``; None if there is none."""
    return next(pattern.match(value, {}), None)


def ancestors(node: ir.Node, reach: int) -> Iterator[ir.Node]:
    """Yield ``node``, the nodes that read its outputs, their readers and so on, up to ``reach``.

    Readers of a value that many nodes read are left out: it is no inner part of an expression.
    """
    level = {node: None}
    for _ in range(reach + 1):
        yield from level
        values = [v for n in level for v in n.outputs if len(v.uses()) <= _MANY]
        level = {u: None for v in values for u in users(v)}


@dataclass(frozen=True)
class PatternRule:
    """A rule that replaces expressions that match a pattern.

    Attributes:
        patterns: The expressions, in the order in which they are tried.
        build: Returns the replacement, given the operators and the match; None leaves the graph
            as it is. It adds one node at most.
        reach: How many steps the root of an expression may lie behind the trigger node.
    """

    patterns: tuple[Pattern, ...]
    build: Callable[[Operators, Match], ir.Value | None]
    reach: int = 4

    def __call__(self, editor: Editor, node: ir.Node) -> bool:
        """Replace the nearest expression around ``node`` that matches."""
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
        if dims(new) != dims(old):  # a constant of one element may have more axes than the rest
            editor.erase(maker(new))
            return False
        editor.replace(old, new)
        return True
