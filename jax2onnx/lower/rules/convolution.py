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
    spatial = len(window_strides)
    # Conv knows no dilation of its input and no negative padding: Pad and Slice do both.
    config = [(0, 0, 0)] * 2 + [
        (min(low, 0), min(high, 0), dilation - 1)
        for (low, high), dilation in zip(padding, lhs_dilation, strict=True)
    ]
    x = pad(ctx, x, ctx.constant(0, x), config)
    out_spec = dimension_numbers.out_spec
    shape = tuple(ctx.out_dims[a] for a in out_spec)
    low_high = [max(low, 0) for low, _ in padding] + [max(high, 0) for _, high in padding]
    result = ctx.op.Conv(
        x,
        kernel,
        strides=list(window_strides),
        pads=low_high,
        dilations=list(rhs_dilation),
        group=feature_group_count,
        kernel_shape=list(ctx.dims(kernel)[2:]),
        shape=shape,
    )
    assert spatial == len(shape) - 2
    return ctx.transpose(result, [int(a) for a in np.argsort(out_spec)])
