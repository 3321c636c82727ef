"""Reductions over sliding windows.

A pooling of floats over up to three axes is a MaxPool or AveragePool. Any other monoid, type or
rank is computed along one axis after the other by doubling: a window of 2m is two neighbouring
windows of m, so a window of k takes about log2(k) slices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax._src.lax import windowed_reductions as windowed

from jax2onnx.lower.registry import in_jax, register_lowering

Pairs = Sequence[tuple[int, int]]
Combine = Callable[[Any, Any], Any]


def _along(x: Any, axis: int, start: Any, stop: Any, step: int = 1) -> Any:
    return lax.slice_in_dim(x, start, stop, step, axis)


def _window_axis(x: Any, combine: Combine, axis: int, size: int, stride: int, dilation: int) -> Any:
    """The reduction of windows along one axis, all of which lie inside."""
    count = x.shape[axis] - (size - 1) * dilation
    result, done, block, width = None, 0, x, 1
    remaining = size
    while remaining:
        if remaining & 1:
            part = _along(block, axis, done * dilation, done * dilation + count)
            result = part if result is None else combine(result, part)
            done += width
        remaining >>= 1
        if remaining:
            length = block.shape[axis] - width * dilation
            block = combine(
                _along(block, axis, 0, length),
                _along(block, axis, width * dilation, width * dilation + length),
            )
            width *= 2
    return result if stride == 1 else _along(result, axis, 0, count, stride)


def _reduce_windows(
    x: Any,
    init: Any,
    combine: Combine,
    *,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Pairs,
    base_dilation: Sequence[int],
    window_dilation: Sequence[int],
) -> Any:
    config = [(lo, hi, d - 1) for (lo, hi), d in zip(padding, base_dilation, strict=True)]
    x = lax.pad(x, jnp.asarray(init, x.dtype), config)
    for axis, (size, stride, dilation) in enumerate(
        zip(window_dimensions, window_strides, window_dilation, strict=True)
    ):
        if size != 1 or stride != 1:
            x = _window_axis(x, combine, axis, size, stride, dilation)
    return x


def _lowest(dtype: Any) -> Any:
    if dtype == np.bool_:
        return False
    return -np.inf if jnp.issubdtype(dtype, jnp.floating) else np.iinfo(dtype).min


def _highest(dtype: Any) -> Any:
    if dtype == np.bool_:
        return True
    return np.inf if jnp.issubdtype(dtype, jnp.floating) else np.iinfo(dtype).max


register_lowering(windowed.reduce_window_sum_p)(
    in_jax(lambda x, **p: _reduce_windows(x, 0, lax.add, **p))
)
register_lowering(windowed.reduce_window_max_p)(
    in_jax(lambda x, **p: _reduce_windows(x, _lowest(x.dtype), lax.max, **p))
)
register_lowering(windowed.reduce_window_min_p)(
    in_jax(lambda x, **p: _reduce_windows(x, _highest(x.dtype), lax.min, **p))
)


@register_lowering(windowed.reduce_window_p)
@in_jax
def _reduce_window(*operands: Any, jaxpr: Any, consts: Any, **params: Any) -> Any:
    """Any monoid on one operand, given as a jaxpr; each window starts from the initial value."""
    x, init = operands
    combine = elementwise_monoid(jaxpr, consts)
    windows = _reduce_windows(x, init, combine, **params)
    return combine(jnp.broadcast_to(init, windows.shape), windows)


def elementwise_monoid(jaxpr: Any, consts: Any) -> Combine:
    """A jaxpr of two scalars as a function of two arrays."""

    def combine(a: Any, b: Any) -> Any:
        scalars: Any = jax.vmap(lambda p, q: jax.core.eval_jaxpr(jaxpr, consts, p, q)[0])
        return scalars(a.reshape(-1), b.reshape(-1)).reshape(a.shape)

    return combine
