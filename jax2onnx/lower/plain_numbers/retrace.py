"""Values that ONNX has no type for, held in arrays that it has one for.

A complex array is a `Pair` of real arrays; an array of random keys is a `Keys` around the integers
that a key consists of. A jaxpr with such values is traced again on what holds them; what comes out
is a jaxpr of plain numbers, and no lowering need know of others. At the border of the graph a
complex array is packed: a real array with one more axis, of two, at the end. Keys show the axes of
their integers at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import tree_util
from jax.extend import core, source_info_util

from jax2onnx.errors import ModelError
from jax2onnx.lower.jaxprs import nested_jaxprs, source_line, unsupported_p, without_references
from jax2onnx.lower.registry import LOWERINGS, Decomposition
from jax2onnx.trace import Input, Parameter, Traced
from jax2onnx.trace.dimensions import abstract
from jax2onnx.trace.undecided import UNDECIDED, concerns_dimension, undecided

Rule = Callable[..., Any]


F = TypeVar("F", bound=Callable[..., Any])


class Pair(NamedTuple):
    """A complex array: its real and its imaginary part."""

    re: Any
    im: Any


@tree_util.register_dataclass
@dataclass(frozen=True)
class Keys:
    """An array of random keys: the integers of each, in the last axes, and their generator."""

    data: Any
    impl: Any = field(metadata={"static": True})

    @property
    def ndim(self) -> int:
        """The rank of the array of keys."""
        return int(self.data.ndim) - len(self.impl.key_shape)


RULES: dict[core.Primitive, Rule] = {}
"""From primitive to a rule on pairs and keys: ``rule(*operands, **params)``, written in JAX."""


def rule(*primitives: core.Primitive) -> Callable[[F], F]:
    """Registers a function on pairs and keys for primitives."""

    def register(function: F) -> F:
        for primitive in primitives:
            RULES[primitive] = function
        return function

    return register


def is_complex(dtype: Any) -> bool:
    """Whether a dtype is complex64 or complex128."""
    return bool(jnp.issubdtype(dtype, jnp.complexfloating))


def is_key(dtype: Any) -> bool:
    """Whether a dtype is one of random keys."""
    return bool(jnp.issubdtype(dtype, jax.dtypes.prng_key))


def part_dtype(dtype: Any) -> Any:
    """The dtype of the parts of a complex dtype; any other dtype itself."""
    return np.finfo(dtype).dtype if is_complex(dtype) else dtype


def has_logical(jaxpr: core.Jaxpr) -> bool:
    """Whether a complex value or a key occurs in a jaxpr, or in one nested in it."""
    variables = [*jaxpr.invars, *jaxpr.constvars, *jaxpr.outvars]
    return any(map(_is_logical, variables)) or any(map(_concerned, jaxpr.eqns))


def _is_logical(variable: Any) -> bool:
    dtype = getattr(variable.aval, "dtype", None)
    return dtype is not None and (is_complex(dtype) or is_key(dtype))


def _concerned(eqn: core.JaxprEqn) -> bool:
    return any(map(_is_logical, (*eqn.invars, *eqn.outvars))) or any(
        map(has_logical, nested_jaxprs(eqn))
    )


# -- a jaxpr on what holds its values ------------------------------------------------------------


def evaluate(jaxpr: core.Jaxpr, consts: Sequence[Any], operands: Sequence[Any]) -> list[Any]:
    """Evaluates a jaxpr under a trace, its complex values as pairs and its keys as integers."""
    env: dict[core.Var, Any] = dict(zip(jaxpr.invars, operands, strict=True))
    env.update(zip(jaxpr.constvars, map(split, consts), strict=True))

    def read(variable: core.Var | core.Literal) -> Any:
        if isinstance(variable, core.Literal):
            dtype: Any = variable.aval.dtype  # type: ignore[attr-defined]
            return split(np.asarray(variable.val, dtype))
        return env[variable]

    for eqn in jaxpr.eqns:
        stack = source_info_util.current_name_stack() + eqn.source_info.name_stack
        with source_info_util.user_context(eqn.source_info.traceback, name_stack=stack):
            try:
                results = _apply(eqn, [read(v) for v in eqn.invars])
            except UNDECIDED as error:
                if not concerns_dimension(error):
                    raise
                raise undecided(error, source_line(eqn)) from error
        env.update(zip(eqn.outvars, results, strict=True))
    return [read(v) for v in jaxpr.outvars]


def _apply(eqn: core.JaxprEqn, operands: Sequence[Any]) -> Sequence[Any]:
    if not _concerned(eqn):
        params = eqn.primitive.get_bind_params(eqn.params)
        results = eqn.primitive.bind(*operands, **params)
    elif eqn.primitive in RULES:
        results = RULES[eqn.primitive](*operands, **eqn.params)
    elif isinstance(lowering := LOWERINGS.get(eqn.primitive), Decomposition):
        avals: list[Any] = [v.aval for v in eqn.invars]
        closed = jax.make_jaxpr(lambda *args: lowering.function(*args, **eqn.params))(*avals)
        return evaluate(closed.jaxpr, closed.consts, operands)
    else:
        name = f"{eqn.primitive} of complex numbers or random keys"
        packed = unsupported_p.bind(name=name, types=tuple(_packed(v.aval) for v in eqn.outvars))
        return [_inside(x, v.aval) for x, v in zip(packed, eqn.outvars, strict=True)]
    return list(results) if eqn.primitive.multiple_results else [results]


def split(value: Any) -> Any:
    """A constant in what holds it."""
    if is_key(value.dtype):
        with jax.ensure_compile_time_eval():
            return Keys(jax.random.key_data(value), value.dtype._impl)
    if not is_complex(value.dtype):
        return value
    array = np.asarray(value)  # JAX would trace what is done to an array of its own
    return Pair(array.real, array.imag)


# -- the border of the graph ---------------------------------------------------------------------


def unpack(packed: Any) -> Pair:
    """A pair from an array whose last axis holds the real and the imaginary part."""
    return Pair(packed[..., 0], packed[..., 1])


def pack(value: Any) -> Any:
    """The one array that a value crosses the border of the graph as."""
    if isinstance(value, Keys):
        return value.data
    return jnp.stack(value, axis=-1) if isinstance(value, Pair) else value


def _inside(array: Any, aval: Any) -> Any:
    """A value from the array that it crossed the border as."""
    if is_key(aval.dtype):
        return Keys(array, aval.dtype._impl)
    return unpack(array) if is_complex(aval.dtype) else array


def _packed(aval: Any) -> jax.ShapeDtypeStruct:
    if is_key(aval.dtype):
        return abstract((*aval.shape, *aval.dtype._impl.key_shape), np.uint32)
    if is_complex(aval.dtype):
        return abstract((*aval.shape, 2), part_dtype(aval.dtype))
    return abstract(aval.shape, aval.dtype)


def physical_jaxpr(closed: core.ClosedJaxpr) -> core.ClosedJaxpr:
    """The same computation on plain numbers, with packed operands and results."""
    if not has_logical(closed.jaxpr):
        return closed
    avals: list[Any] = list(closed.in_avals)

    def plain(*args: Any) -> list[Any]:
        operands = [_inside(x, a) for x, a in zip(args, avals, strict=True)]
        return [pack(x) for x in evaluate(closed.jaxpr, closed.consts, operands)]

    return jax.make_jaxpr(plain)(*map(_packed, avals))


def physical(traced: Traced) -> Traced:
    """``traced`` on plain numbers; parameters, inputs and outputs of other types are packed."""
    closed = without_references(core.ClosedJaxpr(traced.jaxpr, traced.consts))
    if not has_logical(closed.jaxpr):
        return replace(traced, jaxpr=closed.jaxpr, consts=tuple(closed.consts))
    closed = physical_jaxpr(closed)
    return replace(
        traced,
        jaxpr=closed.jaxpr,
        consts=tuple(closed.consts),
        parameters=tuple(map(_packed_parameter, traced.parameters)),
        inputs=tuple(_packed_input(i) for i in traced.inputs),
    )


def _packed_input(given: Input) -> Input:
    if not (is_complex(given.dtype) or is_key(given.dtype)):
        return given
    aval = _packed(given.aval)
    return Input(given.name, np.dtype(aval.dtype), aval)


def _packed_parameter(parameter: Parameter) -> Parameter:
    value = parameter.value
    if not (is_complex(value.dtype) or is_key(value.dtype)):
        return parameter
    if isinstance(value, jax.ShapeDtypeStruct):
        raise ModelError(
            f"parameter {parameter.path} is abstract, and of {value.dtype}: a tensor in a file "
            "cannot stand for it. Give the parts of complex numbers as two parameters, and keys "
            "as arrays."
        )
    if is_key(value.dtype):
        return Parameter(parameter.path, np.asarray(jax.random.key_data(value)))
    array = np.asarray(value)
    return Parameter(parameter.path, np.stack([array.real, array.imag], axis=-1))
