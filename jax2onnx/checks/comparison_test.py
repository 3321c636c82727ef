from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from jax2onnx.checks.comparison import Tolerance, absolute_error, difference, is_exact

INF, NAN = float("inf"), float("nan")
EXACT = Tolerance(0.0, 0.0)


def floats(*values: float) -> np.ndarray[Any, Any]:
    return np.array(values, np.float32)


def agree(expected: Any, actual: Any, atol: float = 0.0, rtol: float = 0.0, **options: Any) -> bool:
    return difference(expected, actual, Tolerance(atol, rtol), **options) is None


def test_equal_arrays_agree() -> None:
    for array in (floats(), floats(1, 2), np.ones((1, 1)), np.array([True]), np.array(["a"])):
        assert agree(array, array.copy())


def test_dtype_and_shape_must_be_the_same() -> None:
    x = floats(1, 2)
    assert difference(x, x.astype(np.float64), Tolerance(9, 9)) == (
        "expected float32[2], the model gives float64[2]"
    )
    assert difference(x, x[None], Tolerance(9, 9)) == (
        "expected float32[2], the model gives float32[1, 2]"
    )


@pytest.mark.parametrize(
    ("atol", "rtol", "passes"),
    [(0.5, 0, True), (0.49, 0, False), (0, 0.25, True), (0, 0.24, False)],
)
def test_the_limit_itself_passes(atol: float, rtol: float, passes: bool) -> None:
    assert agree(floats(2), floats(2.5), atol, rtol) is passes
    assert agree(floats(-2), floats(-2.5), atol, rtol) is passes


def test_the_tolerance_is_relative_to_the_expected_value() -> None:
    assert agree(floats(100), floats(90), rtol=0.1)
    assert not agree(floats(90), floats(100), rtol=0.1)


def test_absolute_and_relative_tolerance_add_up() -> None:
    assert agree(floats(2), floats(3), atol=0.5, rtol=0.25)
    assert not agree(floats(2), floats(3), atol=0.5, rtol=0.24)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.int8, bool])
def test_integers_and_booleans_must_be_equal(dtype: Any) -> None:
    expected, actual = np.array([0, 1, 1], dtype), np.array([0, 1, 0], dtype)
    assert difference(expected, actual, Tolerance(9, 9)) == (
        f"1 of 3 values differ, the first at [2]: expected {expected[2]}, the model gives "
        f"{actual[2]}"
    )


def test_neighbouring_large_integers_differ() -> None:
    assert not agree(np.array([2**63 - 1]), np.array([2**63 - 2]), 9, 9)


def test_infinities_and_nan_agree_only_with_themselves() -> None:
    special = floats(INF, -INF, NAN, 1)
    assert agree(special, special.copy())
    for other in (floats(-INF, -INF, NAN, 1), floats(INF, -INF, 1, 1), floats(INF, 1, NAN, 1)):
        assert not agree(special, other, 9, 9)
        assert not agree(other, special, 9, 9)


def test_values_must_be_finite_if_requested() -> None:
    assert not agree(floats(1, INF), floats(1, INF), 9, 9, finite=True)
    assert difference(floats(1, 2), floats(1, NAN), EXACT, finite=True) == (
        "1 of 2 values of the model are not finite, the first at [1]: nan"
    )
    assert difference(floats(INF, 2), floats(INF, 2), EXACT, finite=True) == (
        "1 of 2 values of the reference are not finite, the first at [0]: inf"
    )
    assert agree(floats(1, 2), floats(1, 2), finite=True)


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, np.float16])
def test_narrow_floats(dtype: Any) -> None:
    assert agree(np.array([1, 2], dtype), np.array([1, 2.25], dtype), atol=0.25)
    assert not agree(np.array([1, 2], dtype), np.array([1, 2.25], dtype), atol=0.24)


def test_the_error_of_complex_numbers_is_their_distance() -> None:
    assert agree(np.array([3 + 4j]), np.array([0j]), atol=5)
    assert not agree(np.array([3 + 4j]), np.array([0j]), atol=4.9)


def test_the_description_has_count_errors_and_positions() -> None:
    text = difference(floats(1, 0.001, 5), floats(1, 0.002, 5.5), Tolerance(1e-4, 1e-3))
    assert text == (
        "2 of 3 values differ by more than 0.0001 + 0.001 * |expected|\n"
        "  largest absolute error 0.5 at [2]: expected 5, the model gives 5.5\n"
        "  largest relative error 1 at [1]: expected 0.00100000005, the model gives 0.00200000009"
    )


def test_the_relative_error_at_zero_is_infinite() -> None:
    text = difference(floats(0, 1), floats(1e-3, 1), EXACT)
    assert "largest relative error inf at [0]" in str(text)


def test_absolute_error() -> None:
    found = absolute_error(floats(1, INF, NAN, NAN, INF), floats(3, INF, NAN, 1, -INF))
    np.testing.assert_array_equal(found, [2, 0, 0, INF, INF])


def test_exact_dtypes() -> None:
    assert all(is_exact(np.dtype(t)) for t in (bool, np.uint8, np.int64, "U", "S", object))
    assert not any(is_exact(np.dtype(t)) for t in (np.float32, np.complex64, ml_dtypes.bfloat16))
