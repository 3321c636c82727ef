"""Sorting and selection of the largest."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir
from jax import lax

from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import INT64, onnx_dtype
from jax2onnx.lower.registry import register_lowering


@register_lowering(lax.top_k_p)
def _top_k(ctx: Context, x: ir.Value, *, k: int, axis: int) -> Sequence[ir.Value]:
    assert x.dtype is not None
    dims = ctx.out_dims
    values, indices = ctx.op.TopK(
        x,
        ctx.shape_tensor((k,)),
        axis=axis,
        dtypes=[x.dtype, INT64],
        shapes=[dims, dims],
    )
    return values, ctx.cast(indices, onnx_dtype(ctx.avals_out[1].dtype))
