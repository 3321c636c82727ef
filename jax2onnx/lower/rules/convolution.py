"""``conv_general_dilated``: Conv in NCHW, with lazy transposes to and from the model's layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from jax import lax

from jax2onnx.errors import UnsupportedUseError
from jax2onnx.lower.context import Context
from jax2onnx.lower.registry import register_lowering
from jax2onnx.lower.rules.shaping import pad
from jax2onnx.trace.dimensions import is_static


@register_lowering(lax.conv_general_dilated_p)
def _conv(
    ctx: Context,
    lhs: ir.Value,
    rhs: ir.Value,
    *,
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int],
    rhs_dilation: Sequence[int],
    dimension_numbers: lax.ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    **_: Any,
) -> ir.Value:
    if batch_group_count != 1:
        raise UnsupportedUseError(f"{ctx.where}: batch_group_count={batch_group_count}")
    x = ctx.transpose(ctx.cast(lhs, ctx.out_dtype), dimension_numbers.lhs_spec)
    kernel = ctx.transpose(ctx.cast(rhs, ctx.out_dtype), dimension_numbers.rhs_spec)
    # Conv knows no dilation of its input, and no negative or symbolic padding: Pad and Slice do.
    known = is_static([amount for pair in padding for amount in pair])
    amounts = [(max(a, 0), max(b, 0)) if known else (0, 0) for a, b in padding]
    config = [(0, 0, 0)] * 2 + [
        (a - before, b - after, dilation - 1)
        for (a, b), (before, after), dilation in zip(padding, amounts, lhs_dilation, strict=True)
    ]
    x = pad(ctx, x, ctx.constant(0, x), config)
    out_spec = dimension_numbers.out_spec
    shape = tuple(ctx.out_dims[a] for a in out_spec)
    result = ctx.op.Conv(
        x,
        kernel,
        strides=list(window_strides),
        pads=[a for a, _ in amounts] + [b for _, b in amounts],
        dilations=list(rhs_dilation),
        group=feature_group_count,
        kernel_shape=list(ctx.dims(kernel)[2:]),
        shape=shape,
    )
    return ctx.transpose(result, [int(a) for a in np.argsort(out_spec)])
