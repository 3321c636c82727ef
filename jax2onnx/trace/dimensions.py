"""Symbolic dimensions: strings such as ``"B"`` or ``"16*h"`` become JAX dimension variables.

All inputs of one conversion share one scope: equal names are equal dimensions.
"""

import contextlib
import operator
import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import jax
import numpy as np
from jax import export
from jax.sharding import NamedSharding, PartitionSpec, Sharding
from jax.typing import DTypeLike

from jax2onnx.errors import InputError, ModelError, SymbolicDimensionWarning
from jax2onnx.jax_internals import DIMENSIONS_FILE, DimExpr, bounds
from jax2onnx.trace.undecided import UNDECIDED, concerns_dimension, undecided

Dim: TypeAlias = int | DimExpr
"""The size of an axis: a number, or JAX's expression of dimension variables."""

Dims: TypeAlias = tuple[Dim, ...]
"""The shape of an array."""

ShapeParser: TypeAlias = Callable[[Sequence[int | str]], Dims]
"""Turns a shape with named dimensions into one that JAX can trace."""

_ROOMS = Path(__file__).parents[1]
_MACHINERY = (
    *(str(Path(jax.__file__).parent), contextlib.__file__, "<frozen"),
    *(str(_ROOMS / room) for room in ("graph", "trace", "lower", "rewrite")),
)


def dimension_parser(constraints: Sequence[str]) -> ShapeParser:
    """Return a function that turns shapes with named dimensions into shapes that JAX can trace.

    Args:
        constraints: what JAX may assume of the names, such as ``"T <= 512"``.

    Returns:
        The parser. It raises InputError for a name that JAX cannot parse.

    Raises:
        InputError: a constraint that JAX cannot parse, or constraints that no size satisfies.
    """
    try:
        scope = _Scope(constraints)
        if constraints:  # JAX looks for contradictions when it first decides anything
            bounds(export.symbolic_shape("any", scope=scope)[0])
    except ValueError as error:
        raise InputError(f"constraints={tuple(constraints)!r}: {error}") from error

    def parse(shape: Sequence[int | str]) -> Dims:
        known = tuple(filter(_is_number, shape))
        if len(known) == len(shape):
            return known
        spelled = ",".join(str(d) for d in shape) + ","
        try:
            return tuple(export.symbolic_shape(spelled, scope=scope))
        except ValueError as error:
            raise InputError(
                f"input shape {tuple(shape)!r}: {error}. A dimension is an int, or a name or "
                'expression such as "B", "2*B" or "16*h".'
            ) from error

    return parse


def named_sizes(constraints: Sequence[str], parse: ShapeParser) -> dict[str, str]:
    """Return the names that constraints such as ``"S == P + T"`` give to expressions.

    JAX replaces the name by the expression everywhere, so that the graph's shapes would state the
    expression where the user wrote the name.

    Args:
        constraints: what JAX may assume of the names.
        parse: parses a shape under these constraints.

    Returns:
        The name of each expression, by the expression's text.
    """
    names = {}
    for constraint in constraints:
        left, equals, _ = constraint.partition("==")
        name = left.strip()
        if equals and name.isidentifier():
            (size,) = parse((name,))
            if not _is_number(size) and not str(size).isidentifier():
                names[str(size)] = name
    return names


class _Scope(export.SymbolicScope):
    """A scope that warns where a model compares dimensions and JAX cannot prove them equal.

    JAX then takes them for different. JAX calls ``_check_same_scope`` whenever two expressions
    meet; this class looks there whether the user's code compares them.
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
    """Return whether two dimensions are known to be different, or known to be equal."""
    low, high = bounds(left - right)
    return bool(low > 0 or high < 0 or low == high)


def abstract(
    shape: Iterable[Dim], dtype: DTypeLike, sharding: Sharding | None = None
) -> jax.ShapeDtypeStruct:
    """Return the abstract value that JAX traces for an array of this shape and dtype.

    Args:
        shape: its shape.
        dtype: its dtype.
        sharding: how it lies on a mesh; by default, whole on each device of the mesh that is set
            (``jax.set_mesh``). A model may ask for it (``jax.typeof(x).sharding``).
    """
    sizes: list[Any] = [operator.index(d) if _is_number(d) else d for d in shape]
    mesh = jax.sharding.get_abstract_mesh()
    if not isinstance(sharding, NamedSharding):
        sharding = None if mesh.empty else NamedSharding(mesh, PartitionSpec())
    return jax.ShapeDtypeStruct(tuple(sizes), dtype, sharding=sharding)


def is_static(dims: Iterable[object]) -> bool:
    """Return whether every dimension is a known integer."""
    return all(map(_is_number, dims))


def _is_number(dim: object) -> TypeGuard[int]:
    return isinstance(dim, int | np.integer)


def is_empty(dims: Iterable[Dim]) -> bool:
    """Return whether an array of this shape is known to have no elements."""
    return any(isinstance(d, int) and d == 0 for d in dims)


@contextlib.contextmanager
def explained(names: Collection[str] = (), inputs: Sequence[str] = ()) -> Iterator[None]:
    """Turn errors of a trace into ones that say what to do.

    Args:
        names: dimension variables; a message that shows one in a shape is about a dimension.
        inputs: the names of the inputs, which are the argument ``onnx_inputs`` of what is traced.

    Raises:
        ModelError: the model needs a concrete value.
        SymbolicDimensionError: the model needs to know a symbolic dimension.
    """
    try:
        yield
    except (*CONCRETE, *UNDECIDED) as error:
        if isinstance(error, CONCRETE) or str(error).startswith("Shapes must be 1D sequences of c"):
            problem = re.split(r"The error occurred|See https", str(error))[0].strip()
            raise ModelError(
                f"the model needs a concrete value while it is traced, at {_user_line(error)}:\n"
                f"  {problem}\n{_remedy(str(error), inputs)}"
            ) from error
        if not concerns_dimension(error, names):
            raise
        raise undecided(error, _user_line(error)) from error


def _remedy(problem: str, inputs: Sequence[str]) -> str:
    if "Array boolean indices" in problem:
        return (
            "The size of x[mask] depends on the values of the mask. Keep the size, with "
            "jnp.where(mask, x, 0), or make the mask a constant: functools.partial(fn, mask=...)."
        )
    names = re.findall(r"\bkeywords\['(\w+)'\]", problem)
    names += [inputs[int(i)] for i in re.findall(r"\bonnx_inputs\[(\d+)\]", problem)]
    constant = (
        f"If {names[0]!r} always has the same value, make it a constant: give "
        f"functools.partial(fn, {names[0]}=...), and leave {names[0]!r} out of inputs= and "
        "input_params=.\nElse, compute "
        if names
        else "Compute "
    )
    return constant + (
        "with jax.numpy instead of numpy, make that value a static attribute of the model, or "
        "express the choice with jax.lax.cond or jnp.where."
    )


CONCRETE: tuple[type[Exception], ...] = (
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)
"""JAX's exceptions where a value would have to be known while the model is traced."""


def variables(shapes: Iterable[Iterable[Dim]]) -> set[str]:
    """Return the names of all dimension variables in ``shapes``."""
    dims = (d for shape in shapes for d in shape if not isinstance(d, int))
    return {name for dim in dims for name in dim._get_vars()}


def is_machinery(file: str) -> bool:
    """Return whether a file of code belongs to JAX, to this package or to Python's machinery."""
    return file.startswith(_MACHINERY)


def _user_line(error: BaseException) -> str:
    """Return the innermost line of a traceback that is neither JAX's nor this package's."""
    where, trace = "an unknown line", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if not is_machinery(code.co_filename):
            where = f"{code.co_filename}:{trace.tb_lineno} ({code.co_name})"
        trace = trace.tb_next
    return where
