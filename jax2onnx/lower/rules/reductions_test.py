"""Reductions agree with JAX for every type, any axes and no elements."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.testing.agreement import assert_agrees, operators

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


INTEGERS = ["int8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def _halves(x: Any) -> Any:
    """Return the halves of an integer, since results are compared as doubles."""
    return (x >> 32, x & 0xFFFFFFFF) if x.dtype.itemsize == 8 else x


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", ["sum", "prod", "cumsum", "cumprod"])
def test_integers_wrap(name: str, dtype: str) -> None:
    limits = np.iinfo(dtype)
    x = _RNG.integers(limits.min, limits.max, (3, 4, 5), dtype, endpoint=True)

    def fn(v: Any) -> Any:
        if name.startswith("cum"):
            return _halves(getattr(lax, name)(v, axis=1))
        return [_halves(getattr(lax, f"reduce_{name}")(v, a)) for a in ((0,), (1, 2), (0, 1, 2))]

    assert_agrees(fn, x, rtol=0, atol=0, double=x.itemsize == 8)


def test_sums_of_narrow_integers_are_reduce_sum() -> None:
    x = X.astype(np.int16)
    model = assert_agrees(lambda v: jnp.sum(v, axis=(0, 2), dtype=np.int64), x, double=True)
    assert operators(model) == ["Cast", "ReduceSum"]


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool", "float16", "float32"])
@pytest.mark.parametrize("name", ["sum", "prod", "max", "min"])
def test_without_elements(name: str, dtype: str) -> None:
    x = np.zeros((3, 0, 2), dtype)
    if dtype != "bool" or name in ("max", "min"):
        assert_agrees(lambda v: getattr(lax, f"reduce_{name}")(v, (1,)), x, double=x.itemsize == 8)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nan_is_the_maximum_and_the_minimum(dtype: str) -> None:
    x = np.array([[1, np.nan, 3], [4, -np.inf, 6], [np.nan, 0, np.nan]], dtype)

    def fn(v: Any) -> Any:
        pooled = lax.reduce_window(v, -np.inf, lax.max, (1, 2), (1, 1), "VALID")
        running = lax.cummax(v, 1), lax.cummin(v, 0, reverse=True)
        return jnp.max(v), jnp.max(v, 0), jnp.min(v, 1, keepdims=True), pooled, *running

    assert_agrees(fn, x, double=dtype == "float64")


@pytest.mark.parametrize("dtype", ["uint32", "uint64"])
def test_unsigned_integers_are_ordered(dtype: str) -> None:
    top = np.iinfo(dtype).max
    x = np.array([[5, top - 3, top, 0], [top // 2, top // 2 + 1, 7, top - 1]], dtype)

    def fn(v: Any) -> Any:
        best = lax.top_k(v, 2)
        extremes = jnp.max(v, 1), jnp.min(v, 0), jnp.argmax(v, 1), jnp.argmin(v, 0)
        return [*best, *extremes, jnp.sort(v, 1), jnp.argsort(v, 1), lax.cummax(v, 1)]

    assert_agrees(fn, x, rtol=0, atol=0, double=x.itemsize == 8)


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


def test_reduction_by_any_monoid() -> None:
    def fn(v: Any) -> Any:
        return lax.reduce(v, np.float32(1), lambda a, b: a * b + a + b, (1,))

    assert_agrees(fn, np.linspace(-0.5, 0.5, 14, dtype=np.float32).reshape(2, 7))
