"""Sorting and selection of the largest."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir
from jax import lax

from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import INT64
from jax2onnx.lower.registry import register_lowering


@register_lowering(lax.top_k_p)
def _top_k(ctx: Context, x: ir.Value, *, k: int, axis: int) -> Sequence[ir.Value]:
    dims = ctx.out_dims
    values, indices = ctx.several(
        "TopK", x, ctx.shape_tensor((k,)), types=[(x.dtype, dims), (INT64, dims)], axis=axis
    )
    return values, ctx.cast(indices, ctx.avals_out[1].dtype)
