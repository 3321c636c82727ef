"""Calls: a jaxpr is lowered in place, or becomes an ONNX function if the call is marked."""

from collections.abc import Sequence

import onnx_ir as ir
from jax.extend import core
from jax.extend.core import primitives

from jax2onnx import jax_internals
from jax2onnx.lower.context import Context
from jax2onnx.lower.registry import in_jax, register_lowering
from jax2onnx.marks import Mark
from jax2onnx.trace.jaxprs import CALLS, only_jaxpr


@register_lowering(*CALLS)
def _call(ctx: Context, *operands: ir.Value, **params: object) -> Sequence[ir.Value]:
    return ctx.lower_jaxpr(only_jaxpr(params), operands)


@register_lowering(primitives.jit_p)
def _jit(
    ctx: Context, *operands: ir.Value, jaxpr: core.ClosedJaxpr, name: str, **_: object
) -> Sequence[ir.Value]:
    mark = Mark.parse(name)
    # A function that was not decorated is a random generator: what it draws for a constant key is
    # computed now.
    known = all(ctx.builder.array(v) is not None for v in operands)
    if mark is not None and not (known and mark.number == 0):
        return ctx.lowerer.call_function(ctx, mark, jaxpr, operands)
    return ctx.lower_jaxpr(jaxpr, operands)


register_lowering(jax_internals.call_hi_primitive_p)(in_jax(jax_internals.expand_hi_primitive))


@register_lowering(
    jax_internals.debug_callback_p, jax_internals.debug_print_p, jax_internals.dce_sink_p
)
def _no_results(ctx: Context, *_: ir.Value, **__: object) -> Sequence[ir.Value]:
    """Leave out an effect for who watches the program run; it has no part in the results."""
    return ()
