"""Constant folding: operators on small constants are computed while the graph is built.

An operator is folded only if its result is the same on every machine: movement of data of any type,
arithmetic on integers and booleans, and the operations on float32 and float64 that IEEE 754 rounds
correctly. All others (exp, pow, sums of floats) are left to the runtime.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

MAX_ELEMENTS = 1 << 16
"""Constants of more elements are not folded."""

_INTEGERS = frozenset(("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"))
_ROUNDED_EXACTLY = _INTEGERS | {"f4", "f8"}


def _slice(x: Array, starts: Array, ends: Array, axes: Array, steps: Array | None = None) -> Array:
    index = [slice(None)] * x.ndim
    for i, axis in enumerate(axes):
        step = 1 if steps is None else int(steps[i])
        start, end = int(starts[i]), int(ends[i])
        index[int(axis)] = slice(start, end if step > 0 or end >= -x.shape[axis] else None, step)
    return x[tuple(index)]


def _reshape(x: Array, shape: Array) -> Array:
    dims = [x.shape[i] if d == 0 else int(d) for i, d in enumerate(shape)]
    return x.reshape(dims)


def _gather(x: Array, indices: Array, axis: int = 0) -> Array | None:
    size = x.shape[axis]
    if indices.size and (indices.min() < -size or indices.max() >= size):
        return None
    return x.take(indices, axis)


def _divide(x: Array, y: Array) -> Array | None:
    if x.dtype.kind == "f":
        return np.divide(x, y)
    if (y == 0).any():
        return None
    quotient = np.abs(x) // np.abs(y)
    return (quotient * np.sign(x) * np.sign(y)).astype(x.dtype)


def _mod(x: Array, y: Array, fmod: int = 0) -> Array | None:
    if (y == 0).any():
        return None
    return np.fmod(x, y) if fmod else np.mod(x, y)


def _shift(x: Array, by: Array, direction: str) -> Array:
    return np.left_shift(x, by) if direction == "LEFT" else np.right_shift(x, by)


def _reduction(function: Callable[..., Any]) -> Callable[..., Array]:
    def reduce(x: Array, axes: Array | None = None, keepdims: int = 1, **_: object) -> Array:
        along = None if axes is None else tuple(int(a) for a in axes)
        return np.asarray(function(x, axis=along, keepdims=bool(keepdims)), x.dtype)

    return reduce


def _running_sum(x: Array, axis: Array, exclusive: int = 0, reverse: int = 0) -> Array:
    along = int(axis.reshape(()))
    turned = np.flip(x, along) if reverse else x
    total = np.cumsum(turned, along, dtype=x.dtype)
    total = total - turned if exclusive else total
    return np.flip(total, along) if reverse else total


def _where(condition: Array, x: Array, y: Array) -> Array:
    return np.where(condition, x, y)


_MOVEMENT: Mapping[str, Callable[..., Array | list[Array] | None]] = {
    "Concat": lambda *xs, axis: np.concatenate(xs, axis),
    "Expand": lambda x, shape: np.broadcast_to(
        x, np.broadcast_shapes(x.shape, tuple(int(d) for d in shape))
    ),
    "Gather": _gather,
    "Identity": lambda x: x,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": lambda x, sizes, axis=0: np.split(x, np.cumsum(sizes)[:-1], axis),
    "Squeeze": lambda x, axes: x.squeeze(tuple(int(a) for a in axes)),
    "Tile": lambda x, reps: np.tile(x, tuple(int(r) for r in reps)),
    "Transpose": lambda x, perm: x.transpose(perm),
    "Unsqueeze": lambda x, axes: np.expand_dims(x, tuple(int(a) for a in axes)),
    "Where": _where,
}

_EXACT: Mapping[str, Callable[..., Array | None]] = {
    "Abs": np.abs,
    "Add": np.add,
    "And": np.logical_and,
    "BitShift": _shift,
    "BitwiseAnd": np.bitwise_and,
    "BitwiseNot": np.bitwise_not,
    "BitwiseOr": np.bitwise_or,
    "BitwiseXor": np.bitwise_xor,
    "Ceil": np.ceil,
    "Clip": np.clip,
    "CumSum": _running_sum,
    "Div": _divide,
    "Equal": np.equal,
    "Floor": np.floor,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "IsNaN": np.isnan,
    "LessOrEqual": np.less_equal,
    "Max": np.maximum,
    "Min": np.minimum,
    "Mod": _mod,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Not": np.logical_not,
    "Or": np.logical_or,
    "ReduceMax": _reduction(np.max),
    "ReduceMin": _reduction(np.min),
    "ReduceSum": _reduction(np.sum),
    "Round": np.rint,
    "Sign": np.sign,
    "Sqrt": np.sqrt,
    "Sub": np.subtract,
    "Xor": np.logical_xor,
}


_OF_INTEGERS = frozenset(("CumSum", "Mod", "ReduceMax", "ReduceMin", "ReduceSum", "Sign"))
"""Operators whose results in floats differ between runtimes, such as in the order of a sum."""

_OF_ORDER = frozenset(("Clip", "Max", "Min"))
"""Operators for which runtimes differ in which of -0.0 and 0.0 is the greater one, and in NaN."""


def _has_one_order(x: Array) -> bool:
    """Return whether an array has neither NaN nor -0.0."""
    return x.dtype.kind != "f" or not (np.isnan(x) | ((x == 0) & np.signbit(x))).any()


def fold(
    op_type: str, inputs: Sequence[Array], attributes: Mapping[str, object]
) -> list[Array] | None:
    """Return the results of an operator on constants, or None where it must stay in the graph.

    Args:
        op_type: an operator of the default domain.
        inputs: its inputs.
        attributes: its attributes.
    """
    function = _MOVEMENT.get(op_type)
    if function is None:
        function = _EXACT.get(op_type)
        types = _INTEGERS if op_type in _OF_INTEGERS else _ROUNDED_EXACTLY
        if function is None or any(x.dtype.str[1:] not in types for x in inputs):
            return None
        if op_type in _OF_ORDER and not all(map(_has_one_order, inputs)):
            return None
    if any(x.size > MAX_ELEMENTS for x in inputs):
        return None
    with np.errstate(all="ignore"):
        result = function(*inputs, **attributes)
    if result is None:
        return None
    results = [np.asarray(r, order="C") for r in (result if type(result) is list else [result])]
    if any(r.size > MAX_ELEMENTS for r in results):
        return None
    if op_type in _EXACT and any(r.dtype.kind == "f" and np.isnan(r).any() for r in results):
        return None  # the sign of a NaN that an operation makes differs between processors
    return results


def fold_cast(x: Array, dtype: np.dtype[Any]) -> Array | None:
    """Return ``x`` cast to ``dtype``, or None where the cast must stay in the graph.

    Folded are casts between integers and booleans, of floats to integers that hold them, and other
    casts that lose nothing.
    """
    if x.size > MAX_ELEMENTS:
        return None
    if x.dtype == dtype:
        return x
    if x.dtype.kind in "iub" and dtype.kind in "iub":
        return x.astype(dtype)
    if x.dtype.kind == "f" and dtype.kind in "iu":
        limits = np.iinfo(dtype)
        whole = np.trunc(x)
        return whole.astype(dtype) if ((limits.min <= whole) & (whole < limits.max)).all() else None
    if x.dtype.kind in "iub" and dtype.kind == "f":
        cast = x.astype(dtype)
        return cast if (cast.astype(x.dtype) == x).all() else None
    return None
