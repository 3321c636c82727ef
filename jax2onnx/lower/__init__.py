"""Lower: a jaxpr becomes an ``onnx_ir`` graph, equation by equation.

The modules, each of which imports only those before it: ``builder`` (nodes of one graph), ``dims``
and ``views`` (what rules do with values), ``context`` (what rules get), ``registry`` (their
dictionary), ``plain_numbers`` (complex numbers and random keys), ``functions`` (ONNX functions),
``interpret`` (the loop over equations). ``rules`` are found through the registry.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import jax
import numpy as np
import onnx_ir as ir
from jax.extend import core

from jax2onnx import jax_internals
from jax2onnx.errors import InputError, UnsupportedPrimitiveError
from jax2onnx.graph.constants import free_name
from jax2onnx.lower import plain_numbers as _plain_numbers  # noqa: F401  fills its table
from jax2onnx.lower import rules as _rules  # noqa: F401  fills the registry
from jax2onnx.lower.builder import Builder
from jax2onnx.lower.context import Context
from jax2onnx.lower.dims import Dimensions
from jax2onnx.lower.dtypes import onnx_dtype
from jax2onnx.lower.interpret import Interpreter
from jax2onnx.lower.plain_numbers.retrace import on_plain_numbers
from jax2onnx.lower.registry import in_jax, known_primitives, register_lowering
from jax2onnx.options import Options, with_defaults
from jax2onnx.trace import Parameter, Traced
from jax2onnx.trace.checks import check_names, warn_of_checks
from jax2onnx.trace.naming.reach import identity

__all__ = ["Context", "in_jax", "lower", "register_lowering"]


def lower(traced: Traced, opset: int, name: str, **options: Unpack[Options]) -> ir.Model:
    """Return an ONNX model that computes what ``traced`` computes.

    Args:
        traced: a jaxpr with named parameters and inputs.
        opset: the version of the default operator set.
        name: the name of the graph.
        options: of ``to_onnx``; ``parameters`` and ``call_sites`` are read.

    Raises:
        UnsupportedPrimitiveError: lists every primitive that has no lowering.
        InputError: an abstract parameter without a tensor, or with one of another type.
    """
    options = with_defaults(options)
    traced = on_plain_numbers(traced)
    _refuse_clashes(traced)
    builder = Builder(opset)
    everything = (*traced.parameters, *traced.captured)
    parameters = [
        builder.new_value(p.path, onnx_dtype(_stored_dtype(p)), tuple(p.value.shape))
        for p in everything
    ]
    inputs = [
        builder.new_value(i.name, onnx_dtype(i.dtype), tuple(i.aval.shape)) for i in traced.inputs
    ]
    captured = parameters[len(traced.parameters) :]
    for value, parameter in zip(captured, traced.captured, strict=True):
        builder.captured[identity(parameter.value)] = value
    paths = {identity(p.value): p.path for p in traced.captured}
    interpreter = Interpreter(paths, options["call_sites"])
    ctx = Context(builder, Dimensions(builder, inputs), interpreter)
    ctx.parameters = {v: p.path for v, p in zip(parameters, everything, strict=True)}
    operands = [
        ctx.cast(value, aval.dtype)
        for value, aval in zip(
            [*parameters[: len(traced.parameters)], *inputs], traced.jaxpr.in_avals, strict=True
        )
    ]
    ctx.parameters |= {v: p.path for v, p in zip(operands, traced.parameters, strict=False)}
    results = ctx.lower_jaxpr(core.ClosedJaxpr(traced.jaxpr, traced.consts), operands)
    if interpreter.missing:
        known = known_primitives()
        raise UnsupportedPrimitiveError(list(interpreter.missing), known, jax_internals.moved())
    warn_of_checks({**dict.fromkeys(traced.checks), **interpreter.checks})
    taken = {*traced.output_names, *(p.path for p in everything), *(i.name for i in traced.inputs)}
    failed = check_names([message for message, _ in interpreter.failed], taken)
    results += [value for _, value in interpreter.failed]
    outputs = ctx.as_outputs(results, [*traced.output_names, *failed])
    _name_module_outputs(ctx, outputs)
    used = _bind(parameters, everything, options["parameters"] or {}, traced.read)
    _name_constants(builder.initializers, {p.path for p in everything})
    functions = interpreter.functions.all()
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


def _stored_dtype(parameter: Parameter) -> np.dtype[Any]:
    """Return the dtype of the initializer: that of a tensor in a file, or JAX's for an array."""
    dtype = parameter.value.dtype
    abstract = isinstance(parameter.value, jax.ShapeDtypeStruct)
    return dtype if abstract else jax.dtypes.canonicalize_dtype(dtype)


def _name_module_outputs(ctx: Context, outputs: Sequence[ir.Value]) -> None:
    """Name the last value that a module computes with its parameters ``<module>/output``."""
    taken = set(outputs)
    for module, value in ctx.module_outputs.items():
        if module and value.producer() is not None and value not in taken:
            value.name = f"{module}/output"
            taken.add(value)


def _unknown(path: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(path, known, 1)
    return f"the model has no parameter {path!r}" + (
        f" (did you mean {near[0]!r}?)" if near else ""
    )


def _refuse_clashes(traced: Traced) -> None:
    """Raise if two of the graph's inputs, outputs and parameters have the same name."""
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
    read: Sequence[str],
) -> list[ir.Value]:
    """Give every parameter that the graph uses its tensor, and return the values of these.

    The tensors of abstract parameters are those given, by path. ``read`` are the paths of
    parameters that the model read as values.
    """
    known = [*(p.path for p in parameters), *read]
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
            array = np.asarray(parameter.value).astype(_stored_dtype(parameter), copy=False)
            value.const_value = ir.Tensor(array, dtype=value.dtype, name=parameter.path)
    if problems:
        raise InputError("parameters=: " + "; ".join(problems))
    return used
