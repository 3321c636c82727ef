"""Comparison of arrays: whether the values agree within a tolerance, and by how much they differ.

This module is public.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jax2onnx.errors import InputError

__all__ = ["Tolerance", "absolute_error", "difference", "is_exact"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Tolerance:
    """The largest difference that passes: ``atol + rtol * |expected|``.

    Attributes:
        atol: the absolute part.
        rtol: the part relative to the expected value.

    Raises:
        InputError: one of them is negative, infinite or NaN.
    """

    atol: float
    rtol: float

    def __post_init__(self) -> None:
        for name, value in (("atol", self.atol), ("rtol", self.rtol)):
            if not 0 <= value < math.inf:
                raise InputError(f"{name} is {value}: give a finite number, 0 or more.")


def is_exact(dtype: np.dtype[Any]) -> bool:
    """Return whether values of a dtype must be equal: booleans, integers and strings."""
    return dtype.kind in "biuSUO"


def difference(
    expected: Array, actual: Array, tolerance: Tolerance, *, finite: bool = False
) -> str | None:
    """Return a description of how two arrays differ, or None if they agree.

    They agree if dtype and shape are the same and each value is within the tolerance. Booleans,
    integers and strings must be equal; NaN agrees with NaN, and an infinity with the same infinity.

    Args:
        expected: the array that a reference computed, of any shape and dtype.
        actual: the array to hold against it.
        tolerance: how far floating-point and complex values may differ.
        finite: whether NaN and infinities, in either array, count as differences.

    Returns:
        One or more lines: how many values differ, how far at most, and where.
    """
    if expected.dtype != actual.dtype or expected.shape != actual.shape:
        return f"expected {_type_of(expected)}, the model gives {_type_of(actual)}"
    if is_exact(expected.dtype):
        return _inequality(expected, actual)
    wanted, given = _widened(expected), _widened(actual)
    if finite:
        for whose, values in (("the reference", wanted), ("the model", given)):
            if (problem := _not_finite(values, whose)) is not None:
                return problem
    absolute = absolute_error(expected, actual)
    with np.errstate(invalid="ignore"):  # An infinite expected value times a tolerance of zero.
        limit = tolerance.atol + tolerance.rtol * np.abs(wanted)
    # An infinite limit holds no error, and one of NaN holds none but zero.
    wrong = (absolute > 0) & ~((absolute <= limit) & np.isfinite(wanted))
    if not wrong.any():
        return None
    stated = f"{tolerance.atol:g} + {tolerance.rtol:g} * |expected|"
    lines = [f"{np.count_nonzero(wrong)} of {wrong.size} values differ by more than {stated}"]
    for kind, errors in (("absolute", absolute), ("relative", _relative(absolute, wanted))):
        at = _position(errors)
        lines.append(
            f"  largest {kind} error {errors[at]:.3g} at {_index(at)}: "
            f"expected {wanted[at]:.9g}, the model gives {given[at]:.9g}"
        )
    return "\n".join(lines)


def absolute_error(expected: Array, actual: Array) -> Array:
    """Return ``|actual - expected|`` as float64; 0 where both are NaN or the same infinity.

    A difference that is no number (NaN or an infinity on one side alone) is infinite.
    """
    wanted, given = _widened(expected), _widened(actual)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(given - wanted)
    same = (wanted == given) | (np.isnan(wanted) & np.isnan(given))
    result: Array = np.where(same, 0.0, np.nan_to_num(error, nan=np.inf, posinf=np.inf))
    return result


def _inequality(expected: Array, actual: Array) -> str | None:
    wrong = np.asarray(expected != actual)
    if not wrong.any():
        return None
    at = _position(wrong)
    return (
        f"{np.count_nonzero(wrong)} of {wrong.size} values differ, the first at {_index(at)}: "
        f"expected {expected[at]}, the model gives {actual[at]}"
    )


def _not_finite(values: Array, whose: str) -> str | None:
    finite = np.isfinite(values)
    if finite.all():
        return None
    at = _position(~finite)
    return (
        f"{np.count_nonzero(~finite)} of {finite.size} values of {whose} are not finite, "
        f"the first at {_index(at)}: {values[at]}"
    )


def _relative(absolute: Array, expected: Array) -> Array:
    """Return the error over ``|expected|``: 0 without an error, infinite where 0 was missed."""
    scale = np.abs(expected)
    ratio = np.full_like(absolute, np.inf)
    with np.errstate(invalid="ignore", over="ignore"):
        np.divide(absolute, scale, out=ratio, where=scale > 0)
    result: Array = np.where(absolute == 0, 0.0, np.nan_to_num(ratio, nan=np.inf, posinf=np.inf))
    return result


def _widened(array: Array) -> Array:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _position(array: Array) -> tuple[int, ...]:
    """Return the index of the largest element, the first one of several."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(array)), array.shape))


def _type_of(array: Array) -> str:
    return f"{array.dtype.name}{list(array.shape)}"


def _index(position: Iterable[int]) -> str:
    return str(list(position))
