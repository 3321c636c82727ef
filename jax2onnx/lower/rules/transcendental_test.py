"""Elementary functions are accurate to the last digits of their type, also at their edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from jax import lax

from jax2onnx.testing.agreement import assert_agrees

_SIZES = [0, 1e-300, 1e-9, 0.1, 0.3, 0.5, 0.66, 0.9, 1, 1.1, 1.57, 2.5, 3, 10, 20, 41, 700, 1e10]
_NUMBERS = np.array([s * v for v in [*_SIZES, 1e200, np.inf] for s in (1, -1)] + [np.nan])
_FUNCTIONS = ["acos", "acosh", "asin", "asinh", "atan", "atanh", "cosh", "sinh", "tan"]


@pytest.mark.parametrize(
    "name", [*_FUNCTIONS, "cbrt", "erf", "expm1", "log1p", "logistic", "sin", "tanh"]
)
def test_in_double_precision(name: str) -> None:
    assert_agrees(getattr(lax, name), _NUMBERS, double=True, rtol=1e-13, atol=0)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("name", [*_FUNCTIONS, "expm1", "log1p"])
def test_in_single_precision(name: str, dtype: str) -> None:
    with np.errstate(over="ignore", under="ignore"):
        numbers = _NUMBERS.astype(dtype)
    assert_agrees(getattr(lax, name), numbers, rtol=2e-3 if dtype == "float16" else 3e-6, atol=1e-7)


def test_quadrants_in_double_precision() -> None:
    y, x = np.meshgrid(_NUMBERS[::3], _NUMBERS[::3])
    assert_agrees(lax.atan2, y, x, double=True, rtol=1e-14, atol=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log1p_keeps_the_sign_of_zero(dtype: Any) -> None:
    x = np.array([-0.0, 0.0, -1.0, -2.0, 1e-30, 3.0, np.inf], dtype)
    assert_agrees(lambda x: (lax.log1p(x), 1 / lax.log1p(x)), x, double=dtype == np.float64)
