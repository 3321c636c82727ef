"""Sizes of axes: integers, and expressions of dimension variables such as ``4*h`` or ``B*T``."""

import math
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import onnx_ir as ir

from jax2onnx.errors import LoweringError


class Size(ir.SymbolicDim):
    """A size that is known when the model runs.

    A ``Size`` is what the shapes of a graph hold where a number would otherwise stand. It keeps
    JAX's own dimension expression, whose operators are exact and bring every expression to a normal
    form. Equal sizes therefore have the same text, by which they are compared and hashed, and which
    the artifact states. Sizes are immutable.

    Compute with `product` and `quotient`. The operators that ``ir.SymbolicDim`` has would parse the
    text.

    Args:
        expression: A dimension variable or expression of ``jax.export.symbolic_shape``.

    Raises:
        LoweringError: The expression is a number.
    """

    __slots__ = ("expression",)

    def __init__(self, expression: Any) -> None:
        super().__init__(str(expression))
        if str(expression).isdigit():  # the artifact would have an axis of the name "10"
            raise LoweringError(f"the size {expression!r} is a number: give an int")
        self.expression = expression


Dim: TypeAlias = int | Size
Dims: TypeAlias = tuple[Dim, ...]
"""The dimensions of a value, one for each axis."""


def shape_of(dims: Iterable[Any]) -> ir.Shape:
    """Return the shape of a value; ``dims`` are integers, sizes, or JAX dimension expressions."""
    return ir.Shape(map(_dim, dims))


def _dim(dim: Any) -> Dim:
    if isinstance(dim, int | np.integer):
        return int(dim)
    return dim if isinstance(dim, Size) else Size(dim)


def known(dims: Dims) -> tuple[int, ...] | None:
    """Return dimensions that are all numbers; None if one is symbolic."""
    numbers = tuple(d for d in dims if isinstance(d, int))
    return numbers if len(numbers) == len(dims) else None


def product(sizes: Iterable[Dim]) -> Dim:
    """Return the product of sizes; 1 if there are none."""
    factors = list(sizes)
    number = math.prod(d for d in factors if isinstance(d, int))
    unknown = [d for d in factors if not isinstance(d, int)]
    if not unknown:
        return number
    if number == len(unknown) == 1:
        return unknown[0]
    return _dim(math.prod((d.expression for d in unknown), start=number))


def quotient(size: Dim, by: Dim) -> Dim | None:
    """Return ``size`` over ``by`` where the division is exact for all values of the variables.

    Of ``3*T`` and ``T`` that is 3; of ``T`` and 2 there is no such quotient.
    """
    if by == 0:
        return None
    if size == by:
        return 1
    if isinstance(size, int):
        return size // by if isinstance(by, int) and size % by == 0 else None
    whole, rest = divmod(size.expression, by if isinstance(by, int) else by.expression)
    return _dim(whole) if isinstance(rest, int) and rest == 0 else None
