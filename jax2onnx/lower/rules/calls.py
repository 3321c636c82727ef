"""Calls: jaxprs that are lowered in place, and those that are marked as ONNX functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir
from jax.extend import core
from jax.extend.core import primitives

from jax2onnx import jax_internals
from jax2onnx.lower.context import Context
from jax2onnx.lower.registry import Rule, register_lowering
from jax2onnx.marks import Mark

CALLS: dict[core.Primitive, str] = {
    primitives.custom_jvp_call_p: "call_jaxpr",
    primitives.custom_vjp_call_p: "call_jaxpr",
    jax_internals.linear_call_p: "callee",
    jax_internals.custom_vmap_p: "call",
    primitives.closed_call_p: "call_jaxpr",
    jax_internals.composite_p: "jaxpr",
    primitives.remat_p: "jaxpr",
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


@register_lowering(primitives.jit_p)
def _jit(ctx: Context, *operands: ir.Value, jaxpr: Any, name: str, **_: Any) -> Sequence[ir.Value]:
    mark = Mark.parse(name)
    if mark is not None:
        return ctx.functions.call(ctx, mark, jaxpr, operands)
    return ctx.lower_closed(jaxpr, operands)


@register_lowering(
    jax_internals.debug_callback_p, jax_internals.debug_print_p, jax_internals.dce_sink_p
)
def _nothing(ctx: Context, *_: ir.Value, **__: Any) -> Sequence[ir.Value]:
    """What is there for whoever watches the program run has no part in its results."""
    return ()
