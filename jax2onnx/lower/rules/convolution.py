"""``conv_general_dilated``: Conv or ConvTranspose, with lazy transposes from and to NHWC."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
from jax import Array, lax

from jax2onnx.lower.context import Context
from jax2onnx.lower.registry import register_lowering
from jax2onnx.lower.rules.shaping import pad, rev
from jax2onnx.trace.dimensions import Dims, is_empty, is_static

Padding = Sequence[tuple[Any, Any]]
"""How much to add in front of and behind each spatial axis."""

_KERNELS = frozenset((ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16))


@register_lowering(lax.conv_general_dilated_p)
def _conv(
    ctx: Context,
    lhs: ir.Value,
    rhs: ir.Value,
    *,
    window_strides: Sequence[int],
    padding: Padding,
    lhs_dilation: Sequence[int],
    rhs_dilation: Sequence[int],
    dimension_numbers: lax.ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    **_: object,
) -> ir.Value:
    """Add a Conv or a ConvTranspose, or a product of matrices for types that have neither."""
    out_spec = dimension_numbers.out_spec
    shape = tuple(ctx.out_dims[a] for a in out_spec)
    back = [int(a) for a in np.argsort(out_spec)]
    x = ctx.transpose(ctx.cast(lhs, ctx.out_dtype), dimension_numbers.lhs_spec)
    kernel = ctx.transpose(ctx.cast(rhs, ctx.out_dtype), dimension_numbers.rhs_spec)
    if is_empty(ctx.dims(kernel)) or is_empty(shape):  # a sum of no products, or no results
        return ctx.broadcast(ctx.constant(0, x), ctx.out_dims)
    x = _groups_as_features(ctx, x, batch_group_count)
    groups = feature_group_count * batch_group_count
    window = ctx.dims(kernel)[2:]
    has_kernel = ctx.out_dtype in _KERNELS and 1 <= len(window) <= 3 and is_static((groups,))
    shared: dict[str, Any] = {
        "dilations": list(rhs_dilation),
        "group": groups,
        "kernel_shape": list(window),
        "shape": shape,
    }
    if has_kernel and batch_group_count == 1 and set(window_strides) == {1}:
        margins = _margins(window, rhs_dilation, padding)
        if _can_scatter(ctx, x, margins, lhs_dilation):
            cast = ctx.cast(rhs, ctx.out_dtype)
            flipped = _scattered(ctx, cast, dimension_numbers.rhs_spec, groups)
            result = _transposed(ctx, x, flipped, margins, lhs_dilation, **shared)
            return ctx.transpose(result, back)
    x, pads = _padded(ctx, x, padding, lhs_dilation, has_kernel)
    if not has_kernel:

        def product(x: Array, kernel: Array) -> Array:
            return _by_product(x, kernel, shape, window_strides, rhs_dilation, groups)

        return ctx.transpose(ctx.lower_function(product, (x, kernel))[0], back)
    result = ctx.op.Conv(x, kernel, strides=list(window_strides), pads=pads, **shared)
    return ctx.transpose(result, back)


def _padded(
    ctx: Context, x: ir.Value, padding: Padding, dilation: Sequence[int], has_kernel: bool
) -> tuple[ir.Value, list[int]]:
    """Pad and dilate the input by Pad and Slice, as far as Conv does not do it by itself.

    Conv knows no dilation of its input, and no negative or symbolic padding. Return also the
    ``pads`` that are left to Conv.
    """
    known = has_kernel and is_static([amount for pair in padding for amount in pair])
    left = [(a, b) if known and min(a, b) >= 0 else (0, 0) for a, b in padding]
    config = [(0, 0, 0)] * 2 + [
        (a - before, b - after, step - 1)
        for (a, b), (before, after), step in zip(padding, left, dilation, strict=True)
    ]
    pads = [a for a, _ in left] + [b for _, b in left]
    return pad(ctx, x, ctx.constant(0, x), config), pads


def _margins(window: Dims, dilation: Sequence[int], padding: Padding) -> Padding:
    """Return how much of the full scatter is cut off in front of and behind each spatial axis.

    A convolution of a dilated input is a scatter of windows, of which the ends are cut off by as
    much as the padding is less than the reach of the window.
    """
    reach = [(size - 1) * step for size, step in zip(window, dilation, strict=True)]
    return [(r - a, r - b) for r, (a, b) in zip(reach, padding, strict=True)]


def _transposed(
    ctx: Context,
    x: ir.Value,
    kernel: ir.Value,
    margins: Padding,
    strides: Sequence[int],
    **shared: Any,
) -> ir.Value:
    """Add a ConvTranspose that cuts off the margins, or adds to the end where they are negative."""
    ends = [max(b, 0) for _, b in margins]
    return ctx.op.ConvTranspose(
        x,
        kernel,
        strides=list(strides),
        pads=[a for a, _ in margins] + ends,
        output_padding=[end - b for end, (_, b) in zip(ends, margins, strict=True)],
        **shared,
    )


def _can_scatter(ctx: Context, x: ir.Value, margins: Padding, strides: Sequence[int]) -> bool:
    """Return whether ConvTranspose can cut off these margins.

    At the end a margin may be negative, as long as no window would begin there.
    """
    if max(strides, default=1) == 1 or not is_static([end for pair in margins for end in pair]):
        return False
    if any(a < 0 or -b >= stride for (a, b), stride in zip(margins, strides, strict=True)):
        return False
    return not is_empty(ctx.dims(x))


def _scattered(ctx: Context, kernel: ir.Value, spec: Sequence[int], groups: int) -> ir.Value:
    """Return the kernel as ConvTranspose reads it, with its window reversed.

    That is (features, results of a group, window); ``spec`` has the axes of results, features and
    window in the layout of the model.
    """
    kernel = ctx.transpose(rev(ctx, kernel, spec[2:]), [spec[1], spec[0], *spec[2:]])
    if groups == 1:
        return kernel
    features, results, *window = ctx.dims(kernel)
    split = ctx.reshape(kernel, (features, groups, results // groups, *window))
    moved = ctx.transpose(split, [1, 0, *range(2, len(window) + 3)])
    return ctx.reshape(moved, (groups * features, results // groups, *window))


def _groups_as_features(ctx: Context, x: ir.Value, count: int) -> ir.Value:
    """Move ``count`` groups of the batch into the features: (batch / count, count * features)."""
    if count == 1:
        return x
    batch, features, *rest = ctx.dims(x)
    split = ctx.reshape(x, (count, batch // count, features, *rest))
    moved = ctx.transpose(split, [1, 0, *range(2, len(rest) + 3)])
    return ctx.reshape(moved, (batch // count, count * features, *rest))


def _by_product(
    x: Array,
    kernel: Array,
    shape: Dims,
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
) -> Array:
    """Return a convolution without padding as one product of matrices, which all types have.

    x is (batch, features, spatial axes), the kernel (results, features of a group, window), and the
    result, of this shape, (batch, results, spatial axes).
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
