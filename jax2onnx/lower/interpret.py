"""Lower a jaxpr, one equation after the other."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import onnx_ir as ir
from jax.extend import core

from jax2onnx.errors import LoweringError
from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import onnx_dtype
from jax2onnx.lower.functions import Functions
from jax2onnx.lower.plain_numbers.retrace import plain_jaxpr, unsupported_p
from jax2onnx.lower.registry import Rule, rule_of
from jax2onnx.marks import Mark
from jax2onnx.trace.checks import without_checks
from jax2onnx.trace.dimensions import is_empty
from jax2onnx.trace.jaxprs import aval_of, call_site, source_line
from jax2onnx.trace.naming.modules import ModuleTracker
from jax2onnx.trace.undecided import UNDECIDED, concerns_dimension, undecided

NO_OPERATOR = frozenset(("erfc", "expm1", "log1p", "reduce_window_max", "reduce_window_sum"))
"""Primitives without an ONNX operator that occur in well-known expressions.

The value that such a primitive is lowered to gets ``meta["stands_for"]``, a tuple of the
primitive's name, its operands and its params, so that rewriting can recognise the expression.
"""


class Interpreter:
    """Lowers jaxprs by the registered rules; one interpreter lowers one model.

    Attributes:
        array_paths: the paths of the model's captured arrays, by identity.
        call_sites: whether nodes are to name the user's line that they come from.
        functions: the ONNX functions of the model.
        missing: ``(name, user's line)`` of the primitives without a rule that were found, in order.
        checks: messages of the checks that are left out, beside those that tracing left out.
        failed: the message of each other check, and a boolean that is true where it fails.
    """

    def __init__(self, array_paths: Mapping[object, str], call_sites: bool) -> None:
        self.array_paths = array_paths
        self.call_sites = call_sites
        self.functions = Functions()
        self.missing: dict[tuple[str, str], None] = {}
        self.checks: dict[str, None] = {}
        self._traces: dict[Any, core.ClosedJaxpr] = {}
        self.failed: list[tuple[str, ir.Value]] = []

    def call_function(
        self, ctx: Context, mark: Mark, closed: core.ClosedJaxpr, operands: Sequence[ir.Value]
    ) -> list[ir.Value]:
        """Add a call of the ONNX function that ``mark`` and ``closed`` stand for.

        Args:
            ctx: the graph that calls it.
            mark: the mark of the jit.
            closed: what the function computes.
            operands: a value for each input of ``closed``.
        """
        return self.functions.call(ctx, mark, closed, operands)

    def note_check(self, message: str, failed: ir.Value | None) -> None:
        """Note a check of the model's values; see ``Lowerer``."""
        if failed is None:
            self.checks[message] = None
        else:
            self.failed.append((message, failed))

    def trace(
        self,
        function: Callable[..., Any],
        avals: Sequence[jax.ShapeDtypeStruct],
        params: Mapping[str, Any],
    ) -> core.ClosedJaxpr:
        """Return the jaxpr of ``function(*avals, **params)``, without complex numbers and keys.

        A solver applies the same decomposition a hundred times to operands of the same types, and
        most of its lowering would be tracing, so a trace is kept where the params can be a key.
        """
        # The types of the params are in the key because 1, 1.0 and True are equal.
        kinds = [type(value) for value in params.values()]
        key = (function, *avals, *params.items(), *kinds)
        try:
            kept = self._traces.get(key)
        except TypeError:  # Arrays among the params cannot be a key.
            return self._trace(function, avals, params)
        if kept is None:
            kept = self._traces[key] = self._trace(function, avals, params)
        return kept

    def _trace(
        self,
        function: Callable[..., Any],
        avals: Sequence[jax.ShapeDtypeStruct],
        params: Mapping[str, Any],
    ) -> core.ClosedJaxpr:
        closed = jax.make_jaxpr(functools.partial(function, **params))(*avals)
        return plain_jaxpr(without_checks(closed, self.checks))

    def lower_jaxpr(
        self, ctx: Context, closed: core.ClosedJaxpr, operands: Sequence[ir.Value]
    ) -> list[ir.Value]:
        """Add the nodes of a jaxpr to a graph.

        Args:
            ctx: the graph.
            closed: the jaxpr; a constant may be a value of the graph.
            operands: a value for each of its inputs.

        Returns:
            A value for each of its outputs.

        Raises:
            LoweringError: a rule returned values of a wrong number, dtype or rank.
            SymbolicDimensionError: a rule needs to know a symbolic dimension.
        """
        jaxpr = closed.jaxpr
        env: dict[core.Var, ir.Value] = dict(zip(jaxpr.invars, operands, strict=True))
        for var, const in zip(jaxpr.constvars, closed.consts, strict=True):
            env[var] = const if isinstance(const, ir.Value) else ctx.captured_array(const)
        tracker = ModuleTracker(
            (v, ctx.parameters[value]) for v, value in env.items() if value in ctx.parameters
        )
        builder = ctx.builder
        enclosing, site = builder.location, builder.call_site
        for eqn in jaxpr.eqns:
            module, consumes = tracker.enter(eqn)
            builder.location = module or enclosing
            if self.call_sites and not ctx.in_decomposition:
                builder.call_site = call_site(jaxpr, eqn) or site
            inputs = [_read(ctx, env, v) for v in eqn.invars]
            outputs = self._apply(ctx, eqn, inputs)
            paths = tracker.paths(eqn.outvars)
            for var, value, path in zip(eqn.outvars, outputs, paths, strict=True):
                env[var] = value
                if path:
                    ctx.parameters[value] = path
            if consumes:
                ctx.module_outputs[module] = outputs[-1]
        builder.location, builder.call_site = enclosing, site
        return [_read(ctx, env, v) for v in jaxpr.outvars]

    def _apply(
        self, ctx: Context, eqn: core.JaxprEqn, inputs: Sequence[ir.Value]
    ) -> list[ir.Value]:
        """Lower one equation by the rule of its primitive."""
        shapes = [tuple(aval_of(v).shape) for v in eqn.outvars]
        empty = bool(shapes) and all(map(is_empty, shapes))
        rule: Rule = _empty if empty else rule_of(eqn.primitive) or self._missing
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
        for var, value in zip(eqn.outvars, outputs, strict=True):
            _state_type(ctx, eqn, var, value)
        if eqn.primitive.name in NO_OPERATOR:
            outputs[0].meta["stands_for"] = (eqn.primitive.name, tuple(inputs), eqn.params)
        return outputs

    def _missing(self, ctx: Context, *_: ir.Value, **params: Any) -> list[ir.Value]:
        """Note a primitive without a rule, and go on, so that all of them are found."""
        name = params["name"] if ctx.primitive is unsupported_p else ctx.primitive.name
        self.missing[name, ctx.line] = None
        return [ctx.builder.new_value(None, onnx_dtype(d), dims) for d, dims in ctx.out_types]


def _empty(ctx: Context, *_: ir.Value, **__: object) -> list[ir.Value]:
    """Return results without elements: nothing computes them, as not all kernels take such."""
    return [ctx.empty(dtype, dims) for dtype, dims in ctx.out_types]


def _read(
    ctx: Context, env: Mapping[core.Var, ir.Value], variable: core.Var | core.Literal
) -> ir.Value:
    if isinstance(variable, core.Literal):
        return ctx.builder.constant(np.asarray(variable.val, aval_of(variable).dtype))
    return env[variable]


def _state_type(ctx: Context, eqn: core.JaxprEqn, variable: core.Var, value: ir.Value) -> None:
    """Give ``value`` the type that JAX states; a rule that returned another one is at fault."""
    aval = aval_of(variable)
    dtype = onnx_dtype(aval.dtype)
    if value.dtype != dtype or len(ctx.dims(value)) != len(aval.shape):
        raise LoweringError(
            f"the lowering of {eqn.primitive} at {source_line(eqn)} gave "
            f"{value.dtype}{list(ctx.dims(value))} for {aval.str_short()}"
        )
    ctx.builder.set_type(value, dtype, tuple(aval.shape))
