from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.rewrite.rules.arithmetic import floor_division, neutral
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(floor_division, neutral)

DIVISORS = (2, 5, 7, 127)
FLOOR = ["Div", "Mod", "Less", "Cast", "Sub"]


def edges(dtype: str) -> Any:
    limits = np.iinfo(dtype)
    near = [limits.min, limits.min + 1, limits.max, limits.max // 2, 0, 1, 2, 5, 7, 14]
    return np.array(near + ([-1, -2, -5, -7, -8] if limits.min else []), dtype)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"])
def test_every_type(dtype: str) -> None:
    x = edges(dtype)
    for by in DIVISORS:
        model = assert_agrees(lambda x, by=by: x % by, x, double=dtype == "int64")
        assert operators(model) == ["Mod"]
        model = assert_agrees(lambda x, by=by: x // by, x, double=dtype == "int64")
        assert sorted(operators(model)) == (["Div"] if dtype[0] == "u" else sorted(FLOOR))


def test_quotient_and_remainder() -> None:
    model = assert_agrees(lambda x: (x // 5, x % 5), edges("int32"))
    assert sorted(operators(model)) == sorted([*FLOOR, "Mod"])


def test_division_by_one() -> None:
    model = assert_agrees(lambda x: (x // 1, x % 1), edges("int32"))
    assert "Where" not in operators(model)


def test_a_divisor_for_each_column() -> None:
    x = edges("int32")[:, None]
    model = assert_agrees(lambda x: jnp.tile(x, (1, 3)) % np.array([3, 4, 5], np.int32), x)
    assert "Where" not in operator_counts(model)


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    assert "And" not in operator_counts(assert_agrees(place(lambda x: x % 5), edges("int32")))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x % -5,
        lambda x: x // -5,
        lambda x: x % np.array([3, -4, 5] * 5, np.int32),
        lambda x: x % (abs(x) + 1),
        lambda x: lax.rem(x, jnp.int32(5)) + (x % x.size) * 0 + jnp.where(x < 3, x + 5, x),
    ],
)
def test_holds_back(function: Any) -> None:
    assert "Where" in operator_counts(assert_agrees(function, edges("int32")))
