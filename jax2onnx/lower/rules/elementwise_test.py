"""Elementwise primitives agree with JAX for NaN, infinities, signed zeros and type limits."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.testing.agreement import assert_agrees, operators

_EDGES = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e-30, -1e30], np.float32)
_PAIRS = np.stack(np.meshgrid(_EDGES, _EDGES)).reshape(2, -1)


@pytest.mark.parametrize(
    "function", [lax.atan2, lax.add, lax.sub, lax.mul, lax.div, lax.max, lax.min, lax.lt, lax.eq]
)
def test_special_values_of_two_operands(function: Any) -> None:
    assert_agrees(function, *_PAIRS)


@pytest.mark.parametrize("name", ["sqrt", "exp", "log", "floor", "sign", "is_finite", "erf", "abs"])
def test_special_values_of_one_operand(name: str) -> None:
    assert_agrees(getattr(lax, name), _EDGES)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("function", [lax.div, lax.rem, jnp.floor_divide, jnp.mod])
def test_division_of_integers_by_any_integer(function: Any, dtype: str) -> None:
    limits = np.iinfo(dtype)
    numbers = [limits.min, limits.min + 1, limits.max, limits.max // 2, 0, 1, 2, 7]
    x = np.array(numbers + ([-1, -2, -7] if limits.min else []), dtype)
    assert_agrees(function, *np.stack(np.meshgrid(x, x)).reshape(2, -1), double=x.itemsize == 8)


def test_a_constant_divisor_needs_no_guard() -> None:
    model = assert_agrees(lambda x: lax.div(x, jnp.int32(3)), np.arange(-5, 5, dtype=np.int32))
    assert operators(model) == ["Div"]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", ["sign", "floor", "round", "sqrt", "exp", "tanh", "logistic"])
def test_nan_stays_nan(name: str, dtype: str) -> None:
    x = np.array([np.nan, -2.5, 0.5], dtype)
    assert_agrees(getattr(lax, name), x, double=dtype == "float64", rtol=1e-3)


@pytest.mark.parametrize("new", ["int8", "uint8", "int16", "uint16", "int32", "uint32"])
@pytest.mark.parametrize("old", ["float32", "float16"])
def test_conversion_of_floats_to_integers_saturates(old: str, new: str) -> None:
    values = [np.nan, np.inf, -np.inf, -1.5, 1.5, 127.7, 255.9, 300, -40000, 6e4, 3e9, -3e9]
    x = np.array(values, np.float32)
    x = x[np.abs(np.nan_to_num(x, posinf=0, neginf=0)) < 6.1e4] if old == "float16" else x
    assert_agrees(lambda v: v.astype(new), x.astype(old))


@pytest.mark.parametrize("new", ["int4", "uint4", "float8_e4m3fn", "float8_e5m2"])
def test_narrow_types(new: str) -> None:
    kind = getattr(jnp, new)
    x = np.array([np.nan, np.inf, -np.inf, -1.5, 1.5, 3.75, 7.9, 300, 500, -6e4, 0.01], np.float32)
    assert_agrees(lambda v: v.astype(kind).astype(np.float32), x)
    assert_agrees(lambda v: v.astype(kind), x[3:7])


def test_integers_that_became_floats_need_no_guard() -> None:
    model = assert_agrees(
        lambda i: i.astype(jnp.float32).astype(jnp.int32), np.arange(4, dtype=np.int16)
    )
    assert set(operators(model)) == {"Cast"}


@pytest.mark.parametrize("which", [np.array([2, 0, 1, 5, -1], np.int32), np.zeros(5, bool)])
def test_one_of_several_cases_is_selected(which: Any) -> None:
    count = 1 if which.dtype == bool else 3
    assert_agrees(lax.select_n, which, *(np.arange(5, dtype="f4") + 10 * n for n in range(count)))


def test_powers_of_two() -> None:
    assert_agrees(lax.exp2, np.array([-3, -0.5, 0, 1, 7.25, np.inf, -np.inf, np.nan], np.float32))


@pytest.mark.parametrize("name", ["asin", "acos", "atanh", "asinh", "acosh", "tan"])
def test_inverse_functions_near_the_ends_of_their_domain(name: str) -> None:
    x = np.array([-1, -0.9999999, -0.999, -0.5, 0, 0.3, 0.9999, 1, 1.0001, 3, np.nan], np.float32)
    assert_agrees(getattr(lax, name), x, rtol=1e-5, atol=1e-7)


def test_the_derivative_of_tanh_keeps_its_digits() -> None:
    """It is ``1 - x²`` of a value near 1, a primitive of its own since JAX 0.12."""
    x = np.array([-5, -0.5, 0, 0.25, 3, 8], np.float32)
    assert_agrees(jax.grad(lambda x: jnp.tanh(x).sum()), x, rtol=1e-3)


@pytest.mark.parametrize("power", [0, 2, 3, 5])
def test_powers_of_integers_wrap(power: int) -> None:
    assert_agrees(lambda x: lax.integer_pow(x, power), np.array([3, -7, 100001, 2**30], np.int32))


@pytest.mark.parametrize("side", ["left", "right"])
def test_total_order(side: Any) -> None:
    table = np.array([-np.inf, -1, -0.0, 0.0, 2, np.inf, np.nan], np.float32)
    values = np.array([0.0, -0.0, 2, np.nan, 5, -5], np.float32)
    assert_agrees(lambda t, v: jnp.searchsorted(t, v, side=side), table, values)


def test_bitwise_operators_of_booleans_and_integers() -> None:
    x, y = np.array([5, -6], np.int32), np.array([3, 12], np.int32)
    assert_agrees(lambda a, b: (a & b, a | b, a ^ b, ~a, (a > 0) & (b > 4), ~(a > 0)), x, y)


def test_a_scalar_operand_is_broadcast_by_the_operator() -> None:
    model = assert_agrees(lambda x: jnp.maximum(x, 0.5) * 2, np.ones((2, 3), np.float32))
    assert operators(model) == ["Max", "Mul"]


def test_derivatives_convert() -> None:
    assert_agrees(
        jax.vmap(jax.grad(lambda v: jnp.sin(v) * v**3)), np.linspace(-2, 2, 7, dtype="f4")
    )
