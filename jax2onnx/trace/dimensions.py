"""Symbolic dimensions: strings such as ``"B"`` or ``"16*h"`` become JAX dimension variables.

All inputs of one conversion share one scope: equal names are equal dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import jax
import numpy as np
from jax import export
from jax._src.export.shape_poly import UnexpectedDimVar

from jax2onnx.errors import InputError, ModelError, SymbolicDimensionError

Dim: TypeAlias = Any
"""An ``int`` or a JAX dimension expression."""

_JAX = str(Path(jax.__file__).parent)


def dimension_parser(
    constraints: Sequence[str],
) -> Callable[[Sequence[int | str]], tuple[Dim, ...]]:
    """A function that turns shapes with named dimensions into shapes that JAX can trace.

    Args:
        constraints: what JAX may assume of the names, such as ``"T <= 512"``.

    Raises:
        InputError: a name or a constraint that JAX cannot parse.
    """
    try:
        scope = export.SymbolicScope(constraints)
    except ValueError as error:
        raise InputError(f"constraints={tuple(constraints)!r}: {error}") from error

    def parse(shape: Sequence[int | str]) -> tuple[Dim, ...]:
        if is_static(shape):
            return tuple(shape)
        spelled = ",".join(str(d) for d in shape) + ","
        try:
            return tuple(export.symbolic_shape(spelled, scope=scope))
        except ValueError as error:
            raise InputError(
                f"input shape {tuple(shape)!r}: {error}. A dimension is an int, or a name or "
                'expression such as "B", "2*B" or "16*h".'
            ) from error

    return parse


def abstract(shape: Iterable[Dim], dtype: Any) -> jax.ShapeDtypeStruct:
    """What JAX traces instead of an array of this shape and dtype."""
    return jax.ShapeDtypeStruct(tuple(shape), dtype)


def is_static(dims: Iterable[Dim]) -> bool:
    """Whether every dimension is a known integer."""
    return all(isinstance(d, int | np.integer) for d in dims)


@contextmanager
def explained() -> Iterator[None]:
    """Turns the errors of a trace that a user can act on into ones that say how."""
    try:
        yield
    except CONCRETE as error:
        raise ModelError(
            f"the model needs a concrete value while it is traced, at {_user_line(error)}:\n"
            f"  {str(error).splitlines()[0]}\n"
            "Compute with jax.numpy instead of numpy, make that value a static attribute of the "
            "model, or express the choice with jax.lax.cond or jnp.where."
        ) from error
    except UNDECIDED as error:
        if not concerns_dimension(error):
            raise
        raise undecided(error, _user_line(error)) from error


CONCRETE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)
"""What JAX raises where a value would have to be known."""

UNDECIDED = (jax.errors.InconclusiveDimensionOperation, UnexpectedDimVar, TypeError)
"""What JAX raises where a dimension would have to be known (see `concerns_dimension`)."""


def concerns_dimension(error: Exception) -> bool:
    """Whether an error is about a symbolic dimension; a type error may be about anything."""
    return not isinstance(error, TypeError) or "_DimExpr" in str(error)


def undecided(error: Exception, where: str) -> SymbolicDimensionError:
    """The error for the user, who wrote what lies at ``where``."""
    return SymbolicDimensionError(
        f"a symbolic dimension cannot be kept symbolic at {where}:\n"
        f"  {str(error).splitlines()[0]}\n"
        'Tell JAX what it may assume, as in constraints=("T <= 512",); write the dimension '
        'as a product such as "16*h"; or make it a fixed integer.'
    )


def _user_line(error: BaseException) -> str:
    """The innermost line of a traceback that belongs neither to JAX nor to this package."""
    here = str(Path(__file__).parent)
    where, trace = "an unknown line", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        inside = code.co_filename.startswith((_JAX, here, "<frozen"))
        if not inside and Path(code.co_filename).name != "contextlib.py":
            where = f"{code.co_filename}:{trace.tb_lineno} ({code.co_name})"
        trace = trace.tb_next
    return where
