"""Trace jaxprs with complex numbers or random keys again, on arrays of types that ONNX has.

A complex array becomes a ``Pair`` of real arrays. An array of random keys becomes ``Keys``, which
holds the integers that a key consists of. The new jaxpr has plain numbers only, so that no lowering
needs to know of others. An input or output of the graph that is complex is *packed*: a real array
with one more axis at the end, of size 2. Keys have the axes of their integers at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import tree_util
from jax.extend import core, source_info_util
from jax.typing import DTypeLike

from jax2onnx.errors import ModelError
from jax2onnx.jax_internals import InternalMutableArrayEffect, discharge_state
from jax2onnx.lower.registry import Decomposition, rule_of
from jax2onnx.trace import Input, Parameter, Traced
from jax2onnx.trace.dimensions import abstract
from jax2onnx.trace.jaxprs import nested_jaxprs, source_line
from jax2onnx.trace.undecided import UNDECIDED, concerns_dimension, undecided

Rule = Callable[..., Any]
F = TypeVar("F", bound=Callable[..., Any])

unsupported_p = core.Primitive("unsupported")
"""Stands for an equation on complex numbers or keys that has no rule; ``name`` says which."""

unsupported_p.multiple_results = True
unsupported_p.def_abstract_eval(
    lambda *, name, types: [jax.core.ShapedArray(t.shape, t.dtype) for t in types]
)


class Pair(NamedTuple):
    """A complex array: its real and its imaginary part."""

    re: jax.Array
    im: jax.Array


@tree_util.register_dataclass
@dataclass(frozen=True)
class Keys:
    """An array of random keys.

    Attributes:
        data: uint32, the shape of the array of keys, then the axes of a key's integers.
        impl: the generator that the keys are for.
    """

    data: jax.Array
    impl: Any = field(metadata={"static": True})

    @property
    def ndim(self) -> int:
        """The rank of the array of keys, without the axes of a key's integers."""
        return int(self.data.ndim) - len(self.impl.key_shape)


Operand: TypeAlias = jax.Array | Pair | Keys
"""A value while a jaxpr is traced again."""

RULES: dict[core.Primitive, Rule] = {}
"""From primitive to a rule on pairs and keys, written in JAX: ``rule(*operands, **params)``."""


def rule(*primitives: core.Primitive) -> Callable[[F], F]:
    """Return a decorator that registers a function on pairs and keys for primitives."""

    def register(function: F) -> F:
        for primitive in primitives:
            RULES[primitive] = function
        return function

    return register


def is_complex(dtype: DTypeLike) -> bool:
    """Return whether a dtype is complex64 or complex128."""
    return bool(jnp.issubdtype(dtype, jnp.complexfloating))


def is_key(dtype: DTypeLike) -> bool:
    """Return whether a dtype is one of random keys."""
    return bool(jnp.issubdtype(dtype, jax.dtypes.prng_key))


def part_dtype(dtype: Any) -> Any:
    """Return the dtype of the parts of a complex dtype; any other dtype as it is."""
    return np.finfo(dtype).dtype if is_complex(dtype) else dtype


def is_plain(jaxpr: core.Jaxpr) -> bool:
    """Return whether a jaxpr, and all nested in it, have neither complex values nor keys."""
    variables = [*jaxpr.invars, *jaxpr.constvars, *jaxpr.outvars]
    return all(map(_is_plain_variable, variables)) and all(map(_is_plain_equation, jaxpr.eqns))


def _is_plain_variable(variable: core.Var | core.Literal) -> bool:
    dtype = getattr(variable.aval, "dtype", None)
    return dtype is None or not (is_complex(dtype) or is_key(dtype))


def _is_plain_equation(eqn: core.JaxprEqn) -> bool:
    return all(map(_is_plain_variable, (*eqn.invars, *eqn.outvars))) and all(
        is_plain(inner.jaxpr) for inner in nested_jaxprs(eqn)
    )


# -- evaluation on pairs and keys ----------------------------------------------------------------


def evaluate(closed: core.ClosedJaxpr, operands: Sequence[Operand]) -> list[Operand]:
    """Evaluate a jaxpr under a trace, its complex values as pairs and its keys as integers."""
    jaxpr = closed.jaxpr
    env: dict[core.Var, Operand] = dict(zip(jaxpr.invars, operands, strict=True))
    env.update(zip(jaxpr.constvars, map(split, closed.consts), strict=True))

    def read(variable: core.Var | core.Literal) -> Operand:
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


def _apply(eqn: core.JaxprEqn, operands: Sequence[Operand]) -> Sequence[Operand]:
    """Evaluate one equation: as it is, by its rule, or by its decomposition in JAX."""
    if _is_plain_equation(eqn):
        params = eqn.primitive.get_bind_params(eqn.params)
        results = eqn.primitive.bind(*operands, **params)
    elif eqn.primitive in RULES:
        results = RULES[eqn.primitive](*operands, **eqn.params)
    elif isinstance(lowering := rule_of(eqn.primitive), Decomposition):
        avals: list[Any] = [v.aval for v in eqn.invars]
        closed = jax.make_jaxpr(lambda *args: lowering.function(*args, **eqn.params))(*avals)
        return evaluate(closed, operands)
    else:
        name = f"{eqn.primitive} of complex numbers or random keys"
        packed = unsupported_p.bind(name=name, types=tuple(_packed(v.aval) for v in eqn.outvars))
        return [_unpacked(x, v.aval) for x, v in zip(packed, eqn.outvars, strict=True)]
    return list(results) if eqn.primitive.multiple_results else [results]


def split(value: Any) -> Operand:
    """Return a constant as a pair or as keys, if it is complex or of keys."""
    if is_key(value.dtype):
        with jax.ensure_compile_time_eval():
            return Keys(jax.random.key_data(value), value.dtype._impl)
    if not is_complex(value.dtype):
        plain: jax.Array = value
        return plain
    array: Any = np.asarray(value)  # with a jax.Array, JAX would trace the two operations below
    return Pair(array.real, array.imag)


# -- the border of the graph ---------------------------------------------------------------------


def unpack(packed: jax.Array) -> Pair:
    """Return a pair from an array whose last axis holds the real and the imaginary part."""
    return Pair(packed[..., 0], packed[..., 1])


def pack(value: Operand) -> jax.Array:
    """Return a value as one array, as it is an input or output of the graph."""
    if isinstance(value, Keys):
        return value.data
    return jnp.stack(value, axis=-1) if isinstance(value, Pair) else value


def _unpacked(array: jax.Array, aval: Any) -> Operand:
    """Return the value of abstract value ``aval`` that ``array`` is packed from."""
    if is_key(aval.dtype):
        return Keys(array, aval.dtype._impl)
    return unpack(array) if is_complex(aval.dtype) else array


def _packed(aval: Any) -> jax.ShapeDtypeStruct:
    """Return the abstract value of the array that a value of abstract value ``aval`` becomes."""
    if is_key(aval.dtype):
        return abstract((*aval.shape, *aval.dtype._impl.key_shape), np.uint32)
    if is_complex(aval.dtype):
        return abstract((*aval.shape, 2), part_dtype(aval.dtype))
    return abstract(aval.shape, aval.dtype)


def plain_jaxpr(closed: core.ClosedJaxpr) -> core.ClosedJaxpr:
    """Return a jaxpr of the same computation on plain numbers, with packed inputs and outputs."""
    if is_plain(closed.jaxpr):
        return closed
    avals = list(closed.in_avals)

    def plain(*args: jax.Array) -> list[jax.Array]:
        operands = [_unpacked(x, a) for x, a in zip(args, avals, strict=True)]
        return [pack(x) for x in evaluate(closed, operands)]

    return jax.make_jaxpr(plain)(*map(_packed, avals))


def _without_references(closed: core.ClosedJaxpr) -> core.ClosedJaxpr:
    """Return the same computation without arrays that it changes in place (``jax.new_ref``)."""
    if not any(isinstance(e, InternalMutableArrayEffect) for e in closed.jaxpr.effects):
        return closed
    discharged: core.ClosedJaxpr = discharge_state(closed)
    return discharged


def on_plain_numbers(traced: Traced) -> Traced:
    """Return ``traced`` on plain numbers, with packed parameters, inputs and outputs.

    Raises:
        ModelError: an abstract parameter is complex or of keys.
    """
    closed = _without_references(core.ClosedJaxpr(traced.jaxpr, traced.consts))
    if is_plain(closed.jaxpr):
        return replace(traced, jaxpr=closed.jaxpr, consts=tuple(closed.consts))
    closed = plain_jaxpr(closed)
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
