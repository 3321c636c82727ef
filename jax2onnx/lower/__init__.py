"""Lower: a jaxpr becomes an ``onnx_ir`` graph, equation by equation."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import onnx_ir as ir

from jax2onnx import jax_internals
from jax2onnx.errors import InputError, UnsupportedPrimitiveError
from jax2onnx.graph.constants import free_name
from jax2onnx.lower import plain_numbers as _plain_numbers  # noqa: F401  fills its table
from jax2onnx.lower import rules as _rules  # noqa: F401  fills the registry
from jax2onnx.lower.builder import Builder
from jax2onnx.lower.context import Context
from jax2onnx.lower.dims import Dimensions
from jax2onnx.lower.dtypes import onnx_dtype
from jax2onnx.lower.functions import Functions
from jax2onnx.lower.plain_numbers.retrace import physical
from jax2onnx.lower.registry import LOWERINGS, in_jax, register_lowering
from jax2onnx.trace import Parameter, Traced
from jax2onnx.trace.naming.reach import identity

__all__ = ["Context", "in_jax", "lower", "register_lowering"]


def lower(
    traced: Traced,
    opset: int,
    name: str,
    tensors: Mapping[str, ir.TensorProtocol] | None = None,
    call_sites: bool = False,
) -> ir.Model:
    """An ONNX model that computes what ``traced`` computes.

    Args:
        traced: a jaxpr with named parameters and inputs.
        opset: version of the default operator set.
        name: name of the graph.
        tensors: where the values of abstract parameters lie, by path.
        call_sites: tell on each node which line of the model it comes from.

    Raises:
        UnsupportedPrimitiveError: lists every primitive that has no lowering.
        InputError: an abstract parameter without a tensor, or with one of another type.
    """
    traced = physical(traced)
    _refuse_clashes(traced)
    builder = Builder(opset)
    everything = (*traced.parameters, *traced.captured)
    parameters = [
        builder.new_value(p.path, onnx_dtype(_stored(p)), tuple(p.value.shape)) for p in everything
    ]
    inputs = [
        builder.new_value(i.name, onnx_dtype(i.dtype), tuple(i.aval.shape)) for i in traced.inputs
    ]
    calls = Functions({identity(p.value): p.path for p in traced.captured}, call_sites)
    ctx = Context(builder, Dimensions(builder, inputs), calls)
    ctx.parameters = {v: p.path for v, p in zip(parameters, everything, strict=True)}
    handed = parameters[: len(traced.parameters)]
    for value, parameter in zip(parameters[len(handed) :], traced.captured, strict=True):
        builder.held[identity(parameter.value)] = value
    operands = [
        ctx.cast(value, aval.dtype)
        for value, aval in zip([*handed, *inputs], traced.jaxpr.in_avals, strict=True)
    ]
    ctx.parameters |= {v: p.path for v, p in zip(operands, traced.parameters, strict=False)}
    results = ctx.lower_jaxpr(traced.jaxpr, traced.consts, operands)
    if calls.missing:
        known = [p.name for p in LOWERINGS]
        raise UnsupportedPrimitiveError(list(calls.missing), known, jax_internals.moved())
    outputs = ctx.as_outputs(results, traced.output_names)
    _name_module_outputs(ctx, outputs)
    used = _bind(parameters, everything, tensors or {})
    _name_constants(builder.initializers, {p.path for p in everything})
    functions = calls.functions
    graph = ir.Graph(
        inputs,
        outputs,
        nodes=builder.nodes,
        initializers=[*used, *builder.initializers],
        opset_imports={"": opset} | dict.fromkeys(sorted({f.domain for f in functions}), 1),
        name=name,
    )
    return ir.Model(graph, ir_version=10, functions=functions)


def _name_constants(constants: Sequence[ir.Value], taken: set[str]) -> None:
    """Name constants such that each can be an initializer beside parameters of any name."""
    for number, value in enumerate(constants):
        value.name = free_name(taken, number)
        taken.add(value.name)


def _stored(parameter: Parameter) -> Any:
    """The dtype of the initializer: what lies in a file stays as it is, an array is JAX's."""
    dtype = parameter.value.dtype
    abstract = isinstance(parameter.value, jax.ShapeDtypeStruct)
    return dtype if abstract else jax.dtypes.canonicalize_dtype(dtype)


def _name_module_outputs(ctx: Context, outputs: Sequence[ir.Value]) -> None:
    """Names the last value that a module computes with its parameters ``<module>/output``."""
    taken = set(outputs)
    for module, value in ctx.taps.items():
        if module and value.producer() is not None and value not in taken:
            value.name = f"{module}/output"
            taken.add(value)


def _unknown(path: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(path, known, 1)
    return f"the model has no parameter {path!r}" + (
        f" (did you mean {near[0]!r}?)" if near else ""
    )


def _refuse_clashes(traced: Traced) -> None:
    """Raises where two of the graph's inputs, outputs and parameters bear one name."""
    taken: dict[str, str] = {}
    for kind, names in (
        ("parameter", [p.path for p in (*traced.parameters, *traced.captured)]),
        ("input", [i.name for i in traced.inputs]),
        ("output", traced.output_names),
    ):
        for name in names:
            if name in taken:
                raise InputError(
                    f"{name!r} names both the graph's {taken[name]} and its {kind}: choose "
                    "another with input_names= or output_names="
                )
            taken[name] = kind


def _bind(
    values: Sequence[ir.Value],
    parameters: Sequence[Parameter],
    tensors: Mapping[str, ir.TensorProtocol],
) -> list[ir.Value]:
    """Gives every parameter that the graph uses its tensor; returns those values."""
    known = [p.path for p in parameters]
    problems = [_unknown(path, known) for path in tensors if path not in known]
    used = []
    for value, parameter in zip(values, parameters, strict=True):
        if not value.uses():
            continue
        used.append(value)
        tensor = tensors.get(parameter.path)
        if tensor is not None:
            expected = f"{value.dtype}{value.shape}"
            found = f"{tensor.dtype}{tensor.shape}"
            if expected != found:
                problems.append(f"{parameter.path} is {expected} in the model, {found} in the file")
            value.const_value = tensor
        elif isinstance(parameter.value, jax.ShapeDtypeStruct):
            problems.append(f"{parameter.path} is abstract and no tensor was given for it")
        else:
            array = np.asarray(parameter.value).astype(_stored(parameter), copy=False)
            value.const_value = ir.Tensor(array, dtype=value.dtype, name=parameter.path)
    if problems:
        raise InputError("parameters=: " + "; ".join(problems))
    return used
