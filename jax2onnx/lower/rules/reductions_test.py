"""Reductions: of every type, over any axes, of nothing at all."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.testing import assert_agrees

_RNG = np.random.default_rng(0)
X = _RNG.integers(-100, 100, (3, 5, 4))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "bool"])
@pytest.mark.parametrize("axes", [(0,), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("name", ["reduce_and", "reduce_or", "reduce_xor"])
def test_bits(name: str, axes: Any, dtype: str) -> None:
    x = (X > 0) if dtype == "bool" else X.astype(dtype)
    assert_agrees(lambda v: getattr(lax, name)(v, axes), x)


@pytest.mark.parametrize("dtype", ["int8", "int32", "float32", "float16"])
@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "mean", "argmax", "argmin"])
def test_numbers(name: str, dtype: str) -> None:
    x = (X % 3 + 1).astype(dtype)
    assert_agrees(lambda v: getattr(jnp, name)(v, axis=1), x, rtol=2e-3)


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"])
@pytest.mark.parametrize("reverse", [False, True])
def test_cumulative(name: str, reverse: bool) -> None:
    x = np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 12)

    def fn(v: Any) -> Any:
        return getattr(lax, name)(v, axis=1, reverse=reverse)

    assert_agrees(fn, x)
    assert_agrees(fn, x, specs=[(2, "T")])


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_the_first_nan_wins(name: str) -> None:
    x = np.array([[1, np.nan, np.nan], [np.inf, 1, np.nan], [3, 2, 1]], np.float32)
    assert_agrees(lambda v: getattr(jnp, name)(v, axis=1), x)


def test_any_monoid() -> None:
    def fn(v: Any) -> Any:
        return lax.reduce(v, np.float32(1), lambda a, b: a * b + a + b, (1,))

    assert_agrees(fn, np.linspace(-0.5, 0.5, 14, dtype=np.float32).reshape(2, 7))
