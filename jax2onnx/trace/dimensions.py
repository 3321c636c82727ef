"""Symbolic dimensions: strings such as ``"B"`` or ``"16*h"`` become JAX dimension variables.

All inputs of one conversion share one scope: equal names are equal dimensions.
"""

from __future__ import annotations

import contextlib
import operator
import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import jax
import numpy as np
from jax import export

from jax2onnx.errors import InputError, ModelError, SymbolicDimensionWarning
from jax2onnx.jax_internals import DIMENSIONS_FILE, BoundsPrecision, bounds_decision
from jax2onnx.trace.undecided import UNDECIDED, concerns_dimension, undecided

Dim: TypeAlias = Any
"""An ``int`` or a JAX dimension expression."""

_ROOMS = Path(__file__).parents[1]
_MACHINERY = (
    *(str(Path(jax.__file__).parent), contextlib.__file__, "<frozen"),
    *(str(_ROOMS / room) for room in ("graph", "trace", "lower", "rewrite")),
)


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
        scope = _Scope(constraints)
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


class _Scope(export.SymbolicScope):
    """Warns where a model asks whether two dimensions are equal, and JAX says no for want of proof.

    JAX's scope is asked whenever two expressions meet; so does ours, and looks who compares them.
    """

    def _check_same_scope(self, other: Any, *args: Any, **kwargs: Any) -> None:
        super()._check_same_scope(other, *args, **kwargs)
        frame, compared = sys._getframe(1), None
        while frame.f_code.co_filename == DIMENSIONS_FILE and frame.f_back is not None:
            if frame.f_code.co_name == "__eq__":
                compared = frame.f_locals["self"], frame.f_locals["other"]
            frame = frame.f_back
        if compared is None or is_machinery(frame.f_code.co_filename) or _differ(*compared):
            return
        left, right = compared
        warnings.warn_explicit(
            f"JAX takes the dimensions {left} and {right} for different here, whatever they are "
            "when the model runs. If they are always equal, give them one name, or "
            f'to_onnx(..., constraints=["{left} == {right}"])',
            SymbolicDimensionWarning,
            frame.f_code.co_filename,
            frame.f_lineno,
        )


def _differ(left: Dim, right: Dim) -> bool:
    """Whether two dimensions are known to be different, or known to be equal."""
    low, high = bounds_decision(left - right, BoundsPrecision.BEST)
    return bool(low > 0 or high < 0 or low == high)


def abstract(shape: Iterable[Dim], dtype: Any) -> jax.ShapeDtypeStruct:
    """What JAX traces instead of an array of this shape and dtype."""
    sizes = (operator.index(d) if isinstance(d, np.integer) else d for d in shape)
    return jax.ShapeDtypeStruct(tuple(sizes), dtype)


def is_static(dims: Iterable[Dim]) -> bool:
    """Whether every dimension is a known integer."""
    return all(isinstance(d, int | np.integer) for d in dims)


def is_empty(dims: Iterable[Dim]) -> bool:
    """Whether an array of this shape is known to have no elements."""
    return any(isinstance(d, int) and d == 0 for d in dims)


@contextlib.contextmanager
def explained(names: Collection[str] = ()) -> Iterator[None]:
    """Turns errors of a trace, which may tell of dimensions ``names``, into ones that say how."""
    try:
        yield
    except (*CONCRETE, *UNDECIDED) as error:
        if isinstance(error, CONCRETE) or str(error).startswith("Shapes must be 1D sequences of c"):
            raise ModelError(
                f"the model needs a concrete value while it is traced, at {_user_line(error)}:\n"
                f"  {str(error).splitlines()[0]}\n{_remedy(str(error))}"
            ) from error
        if not concerns_dimension(error, names):
            raise
        raise undecided(error, _user_line(error)) from error


def _remedy(problem: str) -> str:
    if found := re.search(r"the argument keywords\['(\w+)'\]", problem):
        keyword = found[1]
        return (
            f"Give functools.partial(fn, {keyword}=...) the value that {keyword!r} shall have, "
            "and leave it out of input_params=, whose values are inputs of the graph."
        )
    return (
        "Compute with jax.numpy instead of numpy, make that value a static attribute of the "
        "model, or express the choice with jax.lax.cond or jnp.where."
    )


CONCRETE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)
"""What JAX raises where a value would have to be known."""


def variables(shapes: Iterable[Iterable[Dim]]) -> set[str]:
    """The names in shapes."""
    return {name for shape in shapes for d in shape if not is_static([d]) for name in d._get_vars()}


def is_machinery(file: str) -> bool:
    """Whether a file of code belongs to JAX, to this package or to Python's machinery."""
    return file.startswith(_MACHINERY)


def _user_line(error: BaseException) -> str:
    """The innermost line of a traceback that belongs neither to JAX nor to this package."""
    where, trace = "an unknown line", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if not is_machinery(code.co_filename):
            where = f"{code.co_filename}:{trace.tb_lineno} ({code.co_name})"
        trace = trace.tb_next
    return where
