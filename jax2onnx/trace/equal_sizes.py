"""Prove sizes equal that JAX cannot: ``-(-H // 2)`` and ``(H - 1) // 2 + 1``, as strides make them.

A residual connection adds a strided convolution with a padding of "SAME" to one without. JAX takes
their sizes for different ones, and assumes that they are equal if a constraint says so.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from jax import export

from jax2onnx.errors import SymbolicDimensionError
from jax2onnx.options import Options

T = TypeVar("T")

_DIVISOR = re.compile(r", -? ?(\d+)\)")
_NOT_PERIODIC = re.compile(r"max\(|min\(|\^|\)\*|\b[A-Za-z_]\w*\*")
_LARGEST = 4096


def with_equalities(trace: Callable[[Options], T], options: Options) -> T:
    """Trace a model; where JAX cannot prove sizes equal that always are, again with a constraint.

    Args:
        trace: traces the model, under the constraints of the options that it gets.
        options: of ``to_onnx``, complete.

    Raises:
        SymbolicDimensionError: other sizes differ, or cannot be kept symbolic.
    """
    while True:
        try:
            return trace(options)
        except SymbolicDimensionError as error:
            known = list(options["constraints"])
            new = [c for c in equalities(str(error)) if c not in known]
            if not new:
                raise
            options = {**options, "constraints": known + new}


def equalities(problem: str) -> list[str]:
    """Return constraints that make sizes equal which always are, of shapes that JAX found unlike.

    Args:
        problem: JAX's message, which shows the shapes.
    """
    found = []
    for left, right in _unlike_sizes(problem):
        difference = left - right
        term, coefficient = next((t, k) for t, k in difference._sorted_terms if not t.is_constant)
        if abs(coefficient) == 1 and _vanishes(difference, 1):
            (alone,) = export.symbolic_shape(str(term), scope=difference.scope)
            found.append(f"{alone} == {alone - coefficient * difference}")
    return list(dict.fromkeys(found))


def equal_multiples(problem: str) -> list[str]:
    """Return names such as ``"4*h"``, under which the unlike sizes of shapes are equal."""
    found: dict[str, str] = {}
    for left, right in _unlike_sizes(problem):
        for factor in (2, 4, 8, 16, 32, 64):
            if _vanishes(left - right, factor):
                (name,) = (left - right)._get_vars()
                found.setdefault(name, f'"{factor}*{name.lower()}"')
    return [found[name] for name in sorted(found)]


def _vanishes(difference: Any, factor: int) -> bool:
    """Return whether a size is 0 for all multiples of ``factor`` of its only variable.

    Floors of linear expressions grow linearly but for a period, the product of their divisors: if
    they are 0 over two periods, they are 0 everywhere.
    """
    text, variables = str(difference), difference._get_vars()
    period = math.prod(map(int, _DIVISOR.findall(text)))
    if len(variables) != 1 or _NOT_PERIODIC.search(text) or period > _LARGEST:
        return False
    (name,) = variables
    values = range(factor, 2 * factor * period + factor, factor)
    return all(difference._evaluate({name: value}) == 0 for value in values)


def _unlike_sizes(problem: str) -> Iterator[tuple[Any, Any]]:
    """Yield the pairs of sizes in a message about shapes of which one is symbolic, and unequal."""
    scope = export.SymbolicScope()
    shapes = [export.symbolic_shape(text, scope=scope) for text in _tuples(problem)]
    for one, other in itertools.pairwise(shapes):
        for left, right in zip(reversed(one), reversed(other), strict=False):
            if not isinstance(left - right, int) and 1 not in (left, right):
                yield left, right


def _tuples(problem: str) -> Iterator[str]:
    """Yield the contents of the parentheses in a message that are shapes."""
    depth, start = 0, 0
    for i, sign in enumerate(problem):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "(" and depth == 1:
            start = i + 1
        elif sign == ")" and depth == 0:
            text = problem[start:i]
            if "," in text and re.fullmatch(r"[\w\s(),*+^-]+", text):
                yield text
