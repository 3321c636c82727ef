"""Complex numbers as pairs of real ones, for a runtime that has no kernels for them.

A jaxpr with complex values is traced again, each complex value a `Pair` of real arrays; what comes
out is a jaxpr of real numbers, and no lowering need know of complex ones. At the border of the
graph a complex array is packed: a real array with one more axis, of two, at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax._src import source_info_util
from jax.extend import core

from jax2onnx.errors import ModelError, UnsupportedPrimitiveError
from jax2onnx.lower.registry import LOWERINGS, Decomposition
from jax2onnx.trace import Input, Parameter, Traced
from jax2onnx.trace.dimensions import abstract

Rule = Callable[..., Any]


class Pair(NamedTuple):
    """A complex array: its real and its imaginary part."""

    re: Any
    im: Any


COMPLEX: dict[core.Primitive, Rule] = {}
"""From primitive to a rule on pairs: ``rule(*operands, **params)``, written in JAX."""


def is_complex(dtype: Any) -> bool:
    """Whether a dtype is complex64 or complex128."""
    return bool(jnp.issubdtype(dtype, jnp.complexfloating))


def part_dtype(dtype: Any) -> Any:
    """The dtype of the parts of a complex dtype; any other dtype itself."""
    return np.finfo(dtype).dtype if is_complex(dtype) else dtype


def has_complex(jaxpr: core.Jaxpr) -> bool:
    """Whether a complex value occurs in a jaxpr, or in one nested in it."""
    variables = [*jaxpr.invars, *jaxpr.constvars, *jaxpr.outvars]
    return any(_complex_aval(v) for v in variables) or any(map(_concerned, jaxpr.eqns))


def _complex_aval(variable: Any) -> bool:
    dtype = getattr(variable.aval, "dtype", None)
    return dtype is not None and is_complex(dtype)


def _concerned(eqn: core.JaxprEqn) -> bool:
    from jax2onnx.lower.interpret import nested_jaxprs

    return any(map(_complex_aval, (*eqn.invars, *eqn.outvars))) or any(
        map(has_complex, nested_jaxprs(eqn))
    )


# -- a jaxpr on pairs ----------------------------------------------------------------------------


def evaluate(jaxpr: core.Jaxpr, consts: Sequence[Any], operands: Sequence[Any]) -> list[Any]:
    """Evaluates a jaxpr under a trace; complex operands and results are pairs."""
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
            results = _apply(eqn, [read(v) for v in eqn.invars])
        env.update(zip(eqn.outvars, results, strict=True))
    return [read(v) for v in jaxpr.outvars]


def _apply(eqn: core.JaxprEqn, operands: Sequence[Any]) -> Sequence[Any]:
    if not _concerned(eqn):
        params = eqn.primitive.get_bind_params(eqn.params)
        results = eqn.primitive.bind(*operands, **params)
    elif eqn.primitive in COMPLEX:
        results = COMPLEX[eqn.primitive](*operands, **eqn.params)
    elif isinstance(rule := LOWERINGS.get(eqn.primitive), Decomposition):
        avals: list[Any] = [v.aval for v in eqn.invars]
        closed = jax.make_jaxpr(lambda *args: rule.function(*args, **eqn.params))(*avals)
        return evaluate(closed.jaxpr, closed.consts, operands)
    else:
        from jax2onnx.lower.context import source_line

        name = f"{eqn.primitive} of complex numbers"
        raise UnsupportedPrimitiveError([(name, source_line(eqn))])
    return list(results) if eqn.primitive.multiple_results else [results]


def split(value: Any) -> Any:
    """A constant as a pair, if it is complex."""
    return Pair(value.real, value.imag) if is_complex(value.dtype) else value


# -- the border of the graph ---------------------------------------------------------------------


def unpack(packed: Any) -> Pair:
    """A pair from an array whose last axis holds the real and the imaginary part."""
    return Pair(packed[..., 0], packed[..., 1])


def pack(value: Any) -> Any:
    """The array of a pair, its parts in a last axis of two; any other value as it is."""
    return jnp.stack(value, axis=-1) if isinstance(value, Pair) else value


def real_jaxpr(closed: core.ClosedJaxpr) -> core.ClosedJaxpr:
    """The same computation on real numbers, with packed operands and results."""
    if not has_complex(closed.jaxpr):
        return closed
    avals: list[Any] = list(closed.in_avals)
    packed = [_packed(a) for a in avals]

    def real(*args: Any) -> list[Any]:
        operands = [
            unpack(x) if is_complex(a.dtype) else x for x, a in zip(args, avals, strict=True)
        ]
        return [pack(x) for x in evaluate(closed.jaxpr, closed.consts, operands)]

    return jax.make_jaxpr(real)(*packed)


def _packed(aval: Any) -> jax.ShapeDtypeStruct:
    if is_complex(aval.dtype):
        return abstract((*aval.shape, 2), part_dtype(aval.dtype))
    return abstract(aval.shape, aval.dtype)


def without_complex(traced: Traced) -> Traced:
    """``traced`` on real numbers; complex parameters, inputs and outputs are packed."""
    if not has_complex(traced.jaxpr):
        return traced
    closed = real_jaxpr(core.ClosedJaxpr(traced.jaxpr, traced.consts))
    return replace(
        traced,
        jaxpr=closed.jaxpr,
        consts=tuple(closed.consts),
        parameters=tuple(map(_packed_parameter, traced.parameters)),
        inputs=tuple(
            Input(i.name, np.dtype(part_dtype(i.dtype)), _packed(i.aval)) for i in traced.inputs
        ),
    )


def _packed_parameter(parameter: Parameter) -> Parameter:
    value = parameter.value
    if not is_complex(value.dtype):
        return parameter
    if isinstance(value, jax.ShapeDtypeStruct):
        raise ModelError(
            f"parameter {parameter.path} is complex and abstract: a tensor in a file cannot be "
            "packed into pairs. Give its real and imaginary parts as two parameters."
        )
    array = np.asarray(value)
    return Parameter(parameter.path, np.stack([array.real, array.imag], axis=-1))
