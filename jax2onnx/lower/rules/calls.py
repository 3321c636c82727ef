"""Calls: jaxprs that are lowered in place, and those that are marked as ONNX functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir
from jax._src import custom_derivatives, pjit
from jax._src.ad_checkpoint import remat_p
from jax._src.core import closed_call_p

from jax2onnx.function import Mark
from jax2onnx.lower.context import Context
from jax2onnx.lower.registry import register_lowering


@register_lowering(pjit.jit_p)
def _jit(ctx: Context, *operands: ir.Value, jaxpr: Any, name: str, **_: Any) -> Sequence[ir.Value]:
    mark = Mark.parse(name)
    if mark is not None:
        return ctx.functions.call(ctx, mark, jaxpr, operands)
    return ctx.lower_closed(jaxpr, operands)


@register_lowering(custom_derivatives.custom_jvp_call_p, custom_derivatives.custom_vjp_call_p)
def _custom_derivative(
    ctx: Context, *operands: ir.Value, call_jaxpr: Any, **_: Any
) -> Sequence[ir.Value]:
    return ctx.lower_closed(call_jaxpr, operands)


@register_lowering(closed_call_p)
def _closed_call(
    ctx: Context, *operands: ir.Value, call_jaxpr: Any, **_: Any
) -> Sequence[ir.Value]:
    return ctx.lower_closed(call_jaxpr, operands)


@register_lowering(remat_p)
def _remat(ctx: Context, *operands: ir.Value, jaxpr: Any, **_: Any) -> Sequence[ir.Value]:
    return ctx.lower_jaxpr(jaxpr, (), operands)
