"""Walks a jaxpr and lowers one equation after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from jax.extend import core

from jax2onnx.errors import LoweringError
from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import onnx_dtype
from jax2onnx.lower.jaxprs import call_site, source_line, unsupported_p
from jax2onnx.lower.registry import Rule, rule_of
from jax2onnx.trace.dimensions import is_empty
from jax2onnx.trace.naming.modules import ModuleTracker
from jax2onnx.trace.undecided import UNDECIDED, concerns_dimension, undecided

NO_OPERATOR = frozenset(("erfc", "expm1", "log1p", "reduce_window_max", "reduce_window_sum"))
"""Primitives that are parts of well-known expressions, and that no ONNX operator stands for.

The value that such a one is lowered to says so (``meta["stands_for"]``: the primitive's name, its
operands and its params), so that rewriting can recognise what it is a part of.
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
    enclosing, site = ctx.builder.location, ctx.builder.site
    sited = ctx.functions.call_sites and not ctx.decomposes
    for eqn in jaxpr.eqns:
        module, consumes = tracker.enter(eqn)
        ctx.builder.location = module or enclosing
        if sited:
            ctx.builder.site = call_site(jaxpr, eqn) or site
        inputs = [_read(ctx, env, v) for v in eqn.invars]
        avals: list[Any] = [v.aval for v in eqn.outvars]
        empty = avals and all(is_empty(a.shape) for a in avals)
        rule: Rule = _nothing if empty else rule_of(eqn.primitive) or _missing
        with ctx.equation(eqn):
            try:
                results = rule(ctx, *inputs, **eqn.params)
            except UNDECIDED as error:
                if not concerns_dimension(error):
                    raise
                raise undecided(error, ctx.line) from error
        outputs = [results] if isinstance(results, ir.Value) else list(results or ())
        if len(outputs) != len(eqn.outvars):
            raise LoweringError(
                f"the lowering of {eqn.primitive} at {source_line(eqn)} gave {len(outputs)} "
                f"value(s) for {len(eqn.outvars)} result(s)"
            )
        for var, value, path in zip(eqn.outvars, outputs, tracker.paths(eqn.outvars), strict=True):
            _state(ctx, eqn, var.aval, value)
            env[var] = value
            if path:
                ctx.parameters[value] = path
        if eqn.primitive.name in NO_OPERATOR:
            outputs[0].meta["stands_for"] = (eqn.primitive.name, tuple(inputs), eqn.params)
        if consumes:
            ctx.taps[module] = outputs[-1]
    ctx.builder.location, ctx.builder.site = enclosing, site
    return [_read(ctx, env, v) for v in jaxpr.outvars]


def _nothing(ctx: Context, *_: ir.Value, **__: Any) -> list[ir.Value]:
    """Arrays without elements need no computing, and runtimes are not sure of them."""
    return [ctx.nothing(dtype, dims) for dtype, dims in ctx.out_types]


def _missing(ctx: Context, *_: ir.Value, **params: Any) -> list[ir.Value]:
    """Values that stand for results, so that all primitives without a lowering are found."""
    name = params["name"] if ctx.primitive is unsupported_p else ctx.primitive.name
    ctx.functions.missing[name, ctx.line] = None
    return [ctx.builder.new_value(None, onnx_dtype(d), dims) for d, dims in ctx.out_types]


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
        raise LoweringError(
            f"the lowering of {eqn.primitive} at {source_line(eqn)} gave "
            f"{value.dtype}{list(ctx.dims(value))} for {aval.str_short()}"
        )
    ctx.builder.set_type(value, dtype, tuple(aval.shape))
