"""Reductions by any monoid, of whole axes and over sliding windows.

One axis is reduced after the other, by doubling: a window of 2m is two neighbouring windows of m,
so a window of k takes about log2(k) slices. Operands come in tuples, since a monoid may combine
several at once (a maximum and its position).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.extend import core
from jax.typing import ArrayLike, DTypeLike

from jax2onnx.lower.registry import Decomposition, in_jax, register_lowering
from jax2onnx.trace.dimensions import Dims, is_static

Arrays: TypeAlias = tuple[Any, ...]
Combine: TypeAlias = Callable[[Arrays, Arrays], Sequence[Any]]


def monoid(closed: core.ClosedJaxpr) -> Combine:
    """Return a jaxpr of two tuples of scalars as a function of two tuples of arrays."""

    def combine(left: Arrays, right: Arrays) -> Sequence[Array]:
        def scalars(a: Arrays, b: Arrays) -> list[Array]:
            return jax.core.eval_jaxpr(closed.jaxpr, closed.consts, *a, *b)

        shape = left[0].shape
        flat = [tuple(x.reshape(-1) for x in side) for side in (left, right)]
        results: Any = jax.vmap(scalars)(*flat)
        return [x.reshape(shape) for x in results]

    return combine


def elementwise_monoid(closed: core.ClosedJaxpr) -> Callable[[Array, Array], Array]:
    """Return a jaxpr of two scalars as a function of two arrays."""
    combine = monoid(closed)
    return lambda a, b: combine((a,), (b,))[0]


def _along(xs: Arrays, axis: int, start: Any, stop: Any, step: int = 1) -> Arrays:
    return tuple(lax.slice_in_dim(x, start, stop, step, axis) for x in xs)


# -- windows -------------------------------------------------------------------------------------


def _window_axis(
    xs: Arrays, combine: Combine, axis: int, size: int, stride: int, dilation: int
) -> Arrays:
    """Return the reduction of all windows along one axis that lie inside."""
    count = xs[0].shape[axis] - (size - 1) * dilation
    result: Arrays | None = None
    done, block, width, remaining = 0, xs, 1, size
    while remaining:
        if remaining & 1:
            part = _along(block, axis, done * dilation, done * dilation + count)
            result = part if result is None else tuple(combine(result, part))
            done += width
        remaining >>= 1
        if remaining:
            length = block[0].shape[axis] - width * dilation
            shifted = _along(block, axis, width * dilation, width * dilation + length)
            block = tuple(combine(_along(block, axis, 0, length), shifted))
            width *= 2
    assert result is not None
    return result if stride == 1 else _along(result, axis, 0, count, stride)


def _reduce_windows(
    xs: Arrays,
    inits: Sequence[ArrayLike],
    combine: Combine,
    *,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base_dilation: Sequence[int],
    window_dilation: Sequence[int],
) -> Arrays:
    """Return the reduction of every window, of several operands of one shape.

    The ``inits`` fill padding and the gaps of a dilated operand. The other parameters have an entry
    for each axis, as those of ``jax.lax.reduce_window``.
    """
    config = [(lo, hi, d - 1) for (lo, hi), d in zip(padding, base_dilation, strict=True)]
    xs = tuple(
        lax.pad(x, jnp.asarray(init, x.dtype), config) for x, init in zip(xs, inits, strict=True)
    )
    for axis, (size, stride, dilation) in enumerate(
        zip(window_dimensions, window_strides, window_dilation, strict=True)
    ):
        if size != 1 or stride != 1:
            xs = _window_axis(xs, combine, axis, size, stride, dilation)
    return xs


def bound(dtype: DTypeLike, sign: int) -> float:
    """Return the greatest value of a dtype (sign 1), or its least (sign -1)."""
    if dtype == np.bool_:
        return sign > 0
    if jnp.issubdtype(dtype, jnp.inexact):
        return sign * np.inf
    limits = np.iinfo(dtype)
    return limits.max if sign > 0 else limits.min


def _pooling(
    combine: Callable[[Array, Array], Array], init: Callable[[np.dtype[Any]], float]
) -> Decomposition:
    """Return a rule for a reduction of windows by an operator on two arrays."""

    def function(x: Array, **params: Any) -> Array:
        def both(a: Arrays, b: Arrays) -> list[Array]:
            return [combine(a[0], b[0])]

        reduced: Array = _reduce_windows((x,), (init(x.dtype),), both, **params)[0]
        return reduced

    return in_jax(function)


register_lowering(lax.reduce_window_sum_p)(_pooling(lax.add, lambda _: 0))
register_lowering(lax.reduce_window_max_p)(_pooling(lax.max, lambda d: bound(d, -1)))
register_lowering(lax.reduce_window_min_p)(_pooling(lax.min, lambda d: bound(d, 1)))


@register_lowering(lax.reduce_window_p)
@in_jax
def _reduce_window(
    *operands: Array, jaxpr: core.Jaxpr, consts: Sequence[Any], **params: Any
) -> Sequence[Array]:
    """Reduce by any monoid; a window starts from the initial values and leaves padding out."""
    xs, inits = _halves(operands)
    combine = monoid(core.ClosedJaxpr(jaxpr, consts))
    padded = any(tuple(pair) != (0, 0) for pair in params["padding"])
    dense = not padded and set(params["base_dilation"]) == {1}
    if dense:
        windows = _reduce_windows(xs, inits, combine, **params)
        return combine(_filled(inits, windows[0].shape), windows)
    inside = jnp.ones(xs[0].shape, np.bool_)
    *found, some = _reduce_windows((*xs, inside), (*inits, False), _present(combine), **params)
    first = _filled(inits, some.shape)
    total = combine(first, tuple(found))
    return [jnp.where(some, t, f) for t, f in zip(total, first, strict=True)]


def _present(combine: Combine) -> Combine:
    """Return ``combine`` for operands whose last one says which elements are not padding."""

    def both(a: Arrays, b: Arrays) -> list[Array]:
        left, right = a[-1], b[-1]
        total = combine(a[:-1], b[:-1])
        return [
            *(
                jnp.where(left & right, t, jnp.where(left, x, y))
                for t, x, y in zip(total, a[:-1], b[:-1], strict=True)
            ),
            left | right,
        ]

    return both


def _halves(operands: Sequence[Array]) -> tuple[Arrays, Arrays]:
    count = len(operands) // 2
    return tuple(operands[:count]), tuple(operands[count:])


def _filled(inits: Arrays, shape: Dims) -> Arrays:
    return tuple(jnp.broadcast_to(init, shape) for init in inits)


# -- what a window selects -----------------------------------------------------------------------


def _select(select_prim: core.Primitive) -> Combine:
    """Return a function that takes, of two candidates, the one that the primitive prefers.

    A candidate is a tuple of arrays, the first of which are compared.
    """

    def combine(a: Arrays, b: Arrays) -> list[Array]:
        first = select_prim.bind(a[0], b[0])
        return [jnp.where(first, x, y) for x, y in zip(a, b, strict=True)]

    return combine


def _unselected(select_prim: core.Primitive, dtype: DTypeLike) -> float:
    """Return a value that the primitive prefers to no other."""
    return bound(dtype, -1 if select_prim is lax.ge_p else 1)


@register_lowering(lax.select_and_gather_add_p)
@in_jax
def _select_and_gather_add(
    tangents: Array, operand: Array, *, select_prim: core.Primitive, **params: Any
) -> Array:
    """Return the tangent at the element that each window selects."""
    inits = (_unselected(select_prim, operand.dtype), 0)
    selected: Array = _reduce_windows((operand, tangents), inits, _select(select_prim), **params)[1]
    return selected


@register_lowering(lax.select_and_scatter_add_p)
@in_jax
def _select_and_scatter_add(
    source: Array,
    operand: Array,
    *,
    select_prim: core.Primitive,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
) -> Array:
    """Add each source to the element that its window selects, which is found by its position."""
    size = math.prod(operand.shape)
    positions = lax.iota(jnp.int32, size).reshape(operand.shape)
    ones = [1] * operand.ndim
    _, chosen = _reduce_windows(
        (operand, positions),
        (_unselected(select_prim, operand.dtype), size),
        _select(select_prim),
        window_dimensions=window_dimensions,
        window_strides=window_strides,
        padding=padding,
        base_dilation=ones,
        window_dilation=ones,
    )
    # A window that selects padding adds to a place behind the last one, which is cut off.
    total = jnp.zeros(size + 1, source.dtype)
    places = total.at[chosen.reshape(-1)]
    add = places.max if source.dtype == np.bool_ else places.add
    total = add(source.reshape(-1), mode="clip")
    return total[:size].reshape(operand.shape)


# -- whole axes ----------------------------------------------------------------------------------


def _reduce_axis(xs: Arrays, combine: Combine, axis: int) -> Arrays:
    """Reduce one axis of known, positive size to one element, by halving."""
    while (size := xs[0].shape[axis]) > 1:
        half = size // 2
        combined = combine(_along(xs, axis, 0, half), _along(xs, axis, half, 2 * half))
        rest = _along(xs, axis, 2 * half, size)
        xs = tuple(
            lax.concatenate([c, r], axis) if size % 2 else c
            for c, r in zip(combined, rest, strict=True)
        )
    return xs


@register_lowering(lax.reduce_p)
@in_jax
def _reduce(
    *operands: Array, computation: object, jaxpr: core.ClosedJaxpr, dimensions: Sequence[int]
) -> Sequence[Array]:
    del computation
    xs, inits = _halves(operands)
    shape = tuple(np.delete(xs[0].shape, dimensions))
    if 0 in [xs[0].shape[a] for a in dimensions]:
        return list(_filled(inits, shape))
    combine = monoid(jaxpr)
    if not is_static(xs[0].shape[a] for a in dimensions):
        rows = [jnp.moveaxis(x, dimensions, range(len(dimensions))) for x in xs]
        rows = [x.reshape(-1, *shape) for x in rows]
        return lax.scan(
            lambda total, row: (tuple(combine(total, row)), None),
            _filled(inits, shape),
            tuple(rows),
        )[0]
    for axis in dimensions:
        xs = _reduce_axis(xs, combine, axis)
    return combine(_filled(inits, shape), tuple(x.reshape(shape) for x in xs))
