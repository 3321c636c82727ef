"""Walks a jaxpr and lowers one equation after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from jax.extend import core

from jax2onnx.errors import UnsupportedPrimitiveError
from jax2onnx.lower.context import Context, source_line
from jax2onnx.lower.dtypes import onnx_dtype
from jax2onnx.lower.registry import LOWERINGS
from jax2onnx.trace.dimensions import UNDECIDED, concerns_dimension, undecided
from jax2onnx.trace.modules import ModuleTracker

NO_OPERATOR = frozenset(("erfc", "expm1", "log1p"))
"""Primitives that are parts of well-known expressions, and that no ONNX operator stands for.

The value that such a one is lowered to says so (``meta["stands_for"]``: the primitive's name and
its operands), so that rewriting can recognise what it is a part of.
"""


def lower_jaxpr(
    ctx: Context, jaxpr: core.Jaxpr, consts: Sequence[Any], operands: Sequence[ir.Value]
) -> list[ir.Value]:
    """Lowers ``jaxpr`` into the context's graph and returns the values of its results."""
    env: dict[core.Var, ir.Value] = dict(zip(jaxpr.invars, operands, strict=True))
    env.update(
        (var, c if isinstance(c, ir.Value) else ctx.held(c))
        for var, c in zip(jaxpr.constvars, consts, strict=True)
    )
    tracker = ModuleTracker(
        (v, ctx.parameters[value]) for v, value in env.items() if value in ctx.parameters
    )
    enclosing = ctx.builder.location
    for eqn in jaxpr.eqns:
        module, consumes = tracker.enter(eqn)
        ctx.builder.location = module or enclosing
        inputs = [_read(ctx, env, v) for v in eqn.invars]
        rule = LOWERINGS.get(eqn.primitive)
        with ctx.equation(eqn):
            if rule is None:  # in the decomposition of a primitive that has a rule
                raise UnsupportedPrimitiveError([(eqn.primitive.name, ctx.line)])
            try:
                results = rule(ctx, *inputs, **eqn.params)
            except UNDECIDED as error:
                if not concerns_dimension(error):
                    raise
                raise undecided(error, ctx.line) from error
        outputs = [results] if isinstance(results, ir.Value) else list(results)
        for var, value, path in zip(eqn.outvars, outputs, tracker.paths(eqn.outvars), strict=True):
            _state(ctx, eqn, var.aval, value)
            env[var] = value
            if path:
                ctx.parameters[value] = path
        if eqn.primitive.name in NO_OPERATOR:
            outputs[0].meta["stands_for"] = (eqn.primitive.name, tuple(inputs))
        if consumes:
            ctx.taps[module] = outputs[-1]
    ctx.builder.location = enclosing
    return [_read(ctx, env, v) for v in jaxpr.outvars]


def _read(
    ctx: Context, env: dict[core.Var, ir.Value], variable: core.Var | core.Literal
) -> ir.Value:
    if isinstance(variable, core.Literal):
        aval: Any = variable.aval
        return ctx.builder.constant(np.asarray(variable.val, aval.dtype))
    return env[variable]


def _state(ctx: Context, eqn: core.JaxprEqn, aval: Any, value: ir.Value) -> None:
    """States the type that JAX gave a result; a rule that returns another one is at fault."""
    dtype = onnx_dtype(aval.dtype)
    if value.dtype != dtype or len(ctx.dims(value)) != len(aval.shape):
        raise AssertionError(
            f"the lowering of {eqn.primitive} at {source_line(eqn)} gave "
            f"{value.dtype}{list(ctx.dims(value))} for {aval.str_short()}"
        )
    ctx.builder.set_type(value, dtype, tuple(aval.shape))


def refuse_unsupported(jaxpr: core.Jaxpr) -> None:
    """Raises one error that lists every primitive without a lowering, here and in nested jaxprs."""
    missing = dict.fromkeys(_unsupported(jaxpr, "an unknown line"))
    if missing:
        raise UnsupportedPrimitiveError(list(missing))


def _unsupported(jaxpr: core.Jaxpr, around: str) -> Iterator[tuple[str, str]]:
    """Primitives without a lowering, and their lines; or the line around, where JAX knows none."""
    for eqn in jaxpr.eqns:
        nested = list(nested_jaxprs(eqn))
        supported = eqn.primitive in LOWERINGS
        if supported and not nested:
            continue
        line = source_line(eqn)
        line = around if not line or line == "unknown" else line
        if not supported:
            yield eqn.primitive.name, line
        for inner in nested:
            yield from _unsupported(inner, line)


def nested_jaxprs(eqn: core.JaxprEqn) -> Iterator[core.Jaxpr]:
    """The jaxprs in the params of an equation; of a choice between platforms, the portable one."""
    platforms = eqn.params.get("branches_platforms")
    if platforms:
        return _jaxprs([eqn.params["branches"][portable_branch(platforms)]])
    return _jaxprs(list(eqn.params.values()))


def portable_branch(platforms: Sequence[Any]) -> int:
    """Which branch of ``lax.platform_dependent`` to take: the default one, else the CPU's."""
    order = list(platforms)
    if None in order:
        return order.index(None)
    return next(i for i, names in enumerate(order) if "cpu" in names)


def _jaxprs(params: Sequence[Any]) -> Iterator[core.Jaxpr]:
    for param in params:
        if isinstance(param, core.Jaxpr):
            yield param
        elif isinstance(param, core.ClosedJaxpr):
            yield param.jaxpr
        elif isinstance(param, tuple | list):
            yield from _jaxprs(param)
