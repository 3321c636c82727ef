"""Generate random programs: compositions of primitives with known bounds of rounding errors.

A program is a list of steps, each of which applies a row of ``tests.properties.table`` to earlier
values. A ``Value`` has the shape and dtype of a value, and bounds of its magnitude and error. So a
comparison or a conversion to integers is applied only to exact numbers, and the tolerance of a
result is the bound of its rounding error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]
Function = Callable[..., Any]

SYMBOLIC = 5
"""The size that stands for a symbolic dimension. No other dimension has it."""


@dataclass(frozen=True)
class Value:
    """The shape and dtype of an array, and bounds of its elements.

    Attributes:
        shape: the shape.
        dtype: the dtype.
        bound: the largest magnitude of an element.
        step: a number of which all elements are multiples, if there is no error.
        error: the largest difference between an element and the result of exact arithmetic.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    bound: float
    step: float = 1.0
    error: float = 0.0

    @property
    def is_float(self) -> bool:
        """Whether the dtype is a float."""
        return bool(jnp.issubdtype(self.dtype, jnp.floating))

    @property
    def is_int(self) -> bool:
        """Whether the dtype is an integer."""
        return self.dtype.kind in "iu"

    @property
    def is_exact(self) -> bool:
        """Whether every element is the result of exact arithmetic."""
        return self.error == 0

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def holds(self, bound: float, step: float, error: float) -> Value:
        """Return a value of this type with new bounds, plus the error of rounding to the type."""
        if self.is_float:
            eps = float(jnp.finfo(self.dtype).eps)  # type: ignore[no-untyped-call]
            if error or bound / step >= 1 / eps:
                # Runtimes are exact to a few units in the last place, and sum in any order.
                error += 8 * max(eps, 2e-7 if self.dtype.itemsize < 8 else 0) * max(bound, 1.0)
        return replace(self, bound=bound, step=step, error=error)

    def inexact(self, bound: float, slope: float = 1.0) -> Value:
        """Return the result of an inexact function with the bound ``slope`` on its derivative."""
        return self.holds(bound, 0.0, slope * self.error + 1e-300) if self.is_float else self


@dataclass(frozen=True)
class Row:
    """A primitive with the conditions on its operands.

    Attributes:
        name: its name in the listing of a program.
        takes: a condition for each operand, which gets the operands up to this one.
        make: draws the parameters, and returns a function of arrays and the bounds of its result,
            whose shape and dtype JAX infers.
    """

    name: str
    takes: tuple[Callable[..., bool], ...]
    make: Callable[..., tuple[Function, Value]]


@dataclass(frozen=True)
class Step:
    """The application of a primitive to earlier values, which are given by their indices."""

    name: str
    function: Function
    operands: tuple[int, ...]


@dataclass(eq=False)
class Program:
    """A function of arrays: its steps and all its values, beginning with the inputs."""

    inputs: int
    values: list[Value]
    steps: list[Step] = field(default_factory=list)

    def __call__(self, *arrays: Any) -> list[Any]:
        """Return all values that no step reads."""
        known = list(arrays)
        for step in self.steps:
            known.append(step.function(*(known[i] for i in step.operands)))
        return [known[i] for i in self.results]

    @property
    def results(self) -> list[int]:
        """The indices of the values that no step reads."""
        read = {i for step in self.steps for i in step.operands}
        return [i for i in range(self.inputs, len(self.values)) if i not in read]

    def __repr__(self) -> str:
        shown = [f"v{i}: {v.dtype}{list(v.shape)}" for i, v in enumerate(self.values)]
        lines = [f"def program({', '.join(shown[: self.inputs])}):"]
        for step, value in zip(self.steps, shown[self.inputs :], strict=True):
            lines.append(f"    {value} = {step.name}({', '.join(f'v{i}' for i in step.operands)})")
        return "\n".join([*lines, f"    return {', '.join(f'v{i}' for i in self.results)}"])

    def extend(self, draw: Draw, rows: Sequence[Row]) -> None:
        """Draw a row and operands, and append the step; do nothing if no operands fit."""
        row = draw(st.sampled_from(rows))
        chosen: list[int] = []
        for condition in row.takes:
            before = [self.values[i] for i in chosen]
            fitting = [i for i, v in enumerate(self.values) if condition(*before, v)]
            if not fitting:
                return
            chosen.append(draw(st.sampled_from(fitting[::-1])))
        operands = [self.values[i] for i in chosen]
        function, value = row.make(draw, *operands)
        types = [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in operands]
        result = jax.eval_shape(function, *types)
        self.steps.append(Step(row.name, function, tuple(chosen)))
        self.values.append(replace(value, shape=tuple(result.shape), dtype=np.dtype(result.dtype)))


def inputs_of(draw: Draw, dtypes: Sequence[str], most: int = 2) -> list[Value]:
    """Draw inputs of rank 0 to 3, often of equal shape, some with sizes 0, 1 or a symbolic size."""
    size = st.sampled_from([2, 3, 1, 4, SYMBOLIC, 0])
    shapes = st.lists(size, max_size=3).map(tuple)
    first = draw(shapes)
    values = []
    for _ in range(draw(st.integers(1, most))):
        dtype = np.dtype(jnp.dtype(draw(st.sampled_from(dtypes))))
        shape = draw(st.one_of(st.just(first), shapes))
        if dtype.kind in "iu":
            values.append(Value(shape, dtype, 8))
        elif dtype.kind == "b":
            values.append(Value(shape, dtype, 1))
        else:
            values.append(Value(shape, dtype, 4, 0.25))
    return values


def programs(draw: Draw, rows: Sequence[Row], dtypes: Sequence[str], steps: int = 6) -> Program:
    """Draw a program of up to ``steps`` steps."""
    given = inputs_of(draw, dtypes)
    program = Program(len(given), given)
    for _ in range(draw(st.integers(1, steps))):
        program.extend(draw, rows)
    return program


def arrays_for(values: Sequence[Value], seed: int) -> list[Any]:
    """Return random arrays within the bounds of the inputs."""
    random = np.random.default_rng(seed)
    arrays = []
    for value in values:
        if value.dtype.kind == "b":
            arrays.append(np.asarray(random.integers(0, 2, value.shape), bool))
            continue
        most = round(value.bound / value.step)
        least = 0 if value.dtype.kind == "u" else -most
        numbers = random.integers(least, most + 1, value.shape)
        arrays.append(np.asarray(numbers * value.step).astype(value.dtype))
    return arrays
