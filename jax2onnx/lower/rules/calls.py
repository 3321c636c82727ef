"""Calls: jaxprs that are lowered in place, and those that are marked as ONNX functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir
from jax._src import custom_batching, custom_derivatives, pjit
from jax._src.ad_checkpoint import remat_p
from jax._src.core import closed_call_p
from jax._src.debugging import debug_callback_p, debug_print_p
from jax._src.lax import lax as lax_internal
from jax.extend import core

from jax2onnx.lower.context import Context
from jax2onnx.lower.registry import Rule, register_lowering
from jax2onnx.marks import Mark

CALLS: dict[core.Primitive, str] = {
    custom_derivatives.custom_jvp_call_p: "call_jaxpr",
    custom_derivatives.custom_vjp_call_p: "call_jaxpr",
    custom_derivatives.linear_call_p: "callee",
    custom_batching.custom_vmap_p: "call",
    closed_call_p: "call_jaxpr",
    lax_internal.composite_p: "jaxpr",
    remat_p: "jaxpr",
}
"""Primitives that are calls and nothing else: the param that holds what they call."""


def closed(jaxpr: Any) -> core.ClosedJaxpr:
    """A jaxpr with its constants; an open one has none."""
    return jaxpr if isinstance(jaxpr, core.ClosedJaxpr) else core.ClosedJaxpr(jaxpr, ())


def _call(param: str) -> Rule:
    def rule(ctx: Context, *operands: ir.Value, **params: Any) -> Sequence[ir.Value]:
        return ctx.lower_closed(closed(params[param]), operands)

    return rule


for _primitive, _param in CALLS.items():
    register_lowering(_primitive)(_call(_param))


@register_lowering(pjit.jit_p)
def _jit(ctx: Context, *operands: ir.Value, jaxpr: Any, name: str, **_: Any) -> Sequence[ir.Value]:
    mark = Mark.parse(name)
    if mark is not None:
        return ctx.functions.call(ctx, mark, jaxpr, operands)
    return ctx.lower_closed(jaxpr, operands)


@register_lowering(debug_callback_p, debug_print_p, lax_internal.dce_sink_p)
def _nothing(ctx: Context, *_: ir.Value, **__: Any) -> Sequence[ir.Value]:
    """What is there for whoever watches the program run has no part in its results."""
    return ()
