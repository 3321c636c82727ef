"""``conv_general_dilated``: Conv or ConvTranspose, with lazy transposes from and to NHWC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
from jax import lax

from jax2onnx.lower.context import Context
from jax2onnx.lower.registry import register_lowering
from jax2onnx.lower.rules.shaping import pad, rev
from jax2onnx.trace.dimensions import is_empty, is_static

_KERNELS = frozenset((ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16))


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
    out_spec = dimension_numbers.out_spec
    shape = tuple(ctx.out_dims[a] for a in out_spec)
    back = [int(a) for a in np.argsort(out_spec)]
    x = ctx.transpose(ctx.cast(lhs, ctx.out_dtype), dimension_numbers.lhs_spec)
    kernel = ctx.transpose(ctx.cast(rhs, ctx.out_dtype), dimension_numbers.rhs_spec)
    window = ctx.dims(kernel)[2:]
    if is_empty(ctx.dims(kernel)) or is_empty(shape):  # a sum of nothing, or none
        return ctx.broadcast(ctx.constant(0, x), ctx.out_dims)
    x = _groups_as_features(ctx, x, batch_group_count)
    # Conv knows no dilation of its input, and no negative or symbolic padding: Pad and Slice do.
    groups = feature_group_count * batch_group_count
    direct = ctx.out_dtype in _KERNELS and 1 <= len(window) <= 3 and is_static((groups,))
    known = direct and is_static([amount for pair in padding for amount in pair])
    amounts = [(a, b) if known and min(a, b) >= 0 else (0, 0) for a, b in padding]
    config = [(0, 0, 0)] * 2 + [
        (a - before, b - after, dilation - 1)
        for (a, b), (before, after), dilation in zip(padding, amounts, lhs_dilation, strict=True)
    ]
    shared: dict[str, Any] = {
        "dilations": list(rhs_dilation),
        "group": groups,
        "kernel_shape": list(window),
        "shape": shape,
    }
    reach = [(size - 1) * d for size, d in zip(window, rhs_dilation, strict=True)]
    margins = [(r - a, r - b) for r, (a, b) in zip(reach, padding, strict=True)]
    once = direct and batch_group_count == 1 and set(window_strides) == {1}
    if once and _can_scatter(ctx, x, margins, lhs_dilation):
        kernel = _scattered(ctx, ctx.cast(rhs, ctx.out_dtype), dimension_numbers.rhs_spec, groups)
        ends = [max(b, 0) for _, b in margins]
        result = ctx.op.ConvTranspose(
            x,
            kernel,
            strides=list(lhs_dilation),
            pads=[a for a, _ in margins] + ends,
            output_padding=[end - b for end, (_, b) in zip(ends, margins, strict=True)],
            **shared,
        )
        return ctx.transpose(result, back)
    x = pad(ctx, x, ctx.constant(0, x), config)
    if not direct:

        def product(x: Any, kernel: Any) -> Any:
            return _by_product(x, kernel, shape, window_strides, rhs_dilation, groups)

        return ctx.transpose(ctx.lower_function(product, (x, kernel))[0], back)
    result = ctx.op.Conv(
        x,
        kernel,
        strides=list(window_strides),
        pads=[a for a, _ in amounts] + [b for _, b in amounts],
        **shared,
    )
    return ctx.transpose(result, back)


def _can_scatter(ctx: Context, x: ir.Value, margins: Sequence[Any], strides: Sequence[int]) -> bool:
    """Whether ConvTranspose can leave out these margins of what the windows are scattered over.

    At the end a margin may be missing (negative), as far as no window would have begun there.
    """
    if max(strides, default=1) == 1 or not is_static([end for pair in margins for end in pair]):
        return False
    if any(a < 0 or -b >= stride for (a, b), stride in zip(margins, strides, strict=True)):
        return False
    return not is_empty(ctx.dims(x))


def _scattered(ctx: Context, kernel: ir.Value, spec: Sequence[int], groups: int) -> ir.Value:
    """The kernel as ConvTranspose reads it: (features, results of a group, window reversed)."""
    kernel = ctx.transpose(rev(ctx, kernel, spec[2:]), [spec[1], spec[0], *spec[2:]])
    if groups == 1:
        return kernel
    features, results, *window = ctx.dims(kernel)
    split = ctx.reshape(kernel, (features, groups, results // groups, *window))
    moved = ctx.transpose(split, [1, 0, *range(2, len(window) + 3)])
    return ctx.reshape(moved, (groups * features, results // groups, *window))


def _groups_as_features(ctx: Context, x: ir.Value, count: int) -> ir.Value:
    """The groups of the batch side by side in the features: a batch of ``1 / count`` the size."""
    if count == 1:
        return x
    batch, features, *rest = ctx.dims(x)
    split = ctx.reshape(x, (count, batch // count, features, *rest))
    moved = ctx.transpose(split, [1, 0, *range(2, len(rest) + 3)])
    return ctx.reshape(moved, (batch // count, count * features, *rest))


def _by_product(
    x: Any,
    kernel: Any,
    shape: Sequence[Any],
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
) -> Any:
    """A convolution without padding as one product of matrices, for which all types have kernels.

    Args:
        x: (batch, features, spatial axes).
        kernel: (results, features of a group, window).
        shape: of the result: (batch, results, spatial axes).
        strides: between windows.
        dilations: between the elements of a window.
        groups: of features and results.
    """
    batch, features = x.shape[:2]
    results, window = kernel.shape[0], kernel.shape[2:]
    for i, (size, stride, dilation) in enumerate(zip(window, strides, dilations, strict=True)):
        starts = jnp.arange(shape[2 + i]) * stride
        index = starts[:, None] + np.arange(size) * dilation
        x = x.at[(slice(None),) * (2 + 2 * i) + (index,)].get(mode="promise_in_bounds")
    x = x.reshape(batch, groups, features // groups, *x.shape[2:])
    kernel = kernel.reshape(groups, results // groups, *kernel.shape[1:])
    inner = range(len(window))
    contracted = (2, *(4 + 2 * i for i in inner)), (2, *(3 + i for i in inner))
    product = lax.dot_general(x, kernel, (contracted, ((1,), (0,))))
    product = jnp.moveaxis(product, (1, 0, -1), (0, 1, 2))  # groups, batch, spatial, results
    return product.reshape(batch, results, *shape[2:])
