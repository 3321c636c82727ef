"""Indices that cannot be outside are not clamped, and all others are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.testing.agreement import assert_agrees, operators

X = np.arange(40, dtype=np.float32).reshape(5, 8)
LONG = np.arange(64, dtype=np.float32).reshape(8, 8)


def row(x: jax.Array, i: Any) -> jax.Array:
    return lax.dynamic_slice_in_dim(x, i, 1)


def bits(x: jax.Array) -> jax.Array:
    """Return the bits of a column, which may be any integers."""
    return lax.bitcast_convert_type(x[:, 0], jnp.int32)


def long_sum(x: jax.Array) -> jax.Array:
    """Return a row of ``x`` by an index that is the sum of many terms."""
    i = jnp.argmax(x, axis=0)
    for _ in range(2000):
        i = i + i % 2
    return x[i]


INSIDE: dict[str, Callable[[jax.Array], Any]] = {
    "the first": lambda x: lax.dynamic_index_in_dim(x, 0),
    "the last": lambda x: row(x, x.shape[0] - 1),
    "the first by gather": lambda x: x[jnp.zeros(2, int)],
    "from the end": lambda x: x[jnp.array([-1, 0])],
    "a counter": lambda x: x[jnp.arange(x.shape[0])],
    "a counter of a longer table": lambda x: jnp.asarray(LONG)[jnp.arange(x.shape[0])],
    "the greatest": lambda x: x[jnp.argmax(x, axis=0)],
    "the least": lambda x: row(x, jnp.argmin(x[:, 0])),
    "the greatest three": lambda x: x[:, 0][lax.top_k(x[:, 0], 3)[1]],
    "the greatest two of another axis": lambda x: x[lax.top_k(x.T, 2)[1]],
    "clamped": lambda x: x[jnp.clip(jnp.argmax(x, axis=1), 0, 2)],
    "a remainder": lambda x: x[lax.rem(jnp.argmax(x, axis=1), 3)],
    "narrow": lambda x: jnp.zeros((256, 2))[x[:, 0].astype(jnp.uint8)],
    "updated": lambda x: lax.dynamic_update_slice_in_dim(x, x[:1] + 1, 0, 0),
    "set": lambda x: x.at[jnp.arange(2)].set(1.0),
}
OUTSIDE: dict[str, Callable[[jax.Array], Any]] = {
    "one after the first": lambda x: lax.dynamic_index_in_dim(x, 9),
    "a counter of a shorter table": lambda x: jnp.asarray(LONG)[:3][jnp.arange(x.shape[0])],
    "the greatest of another axis": lambda x: x[jnp.argmax(x, axis=1)],
    "clamped to too much": lambda x: x[jnp.clip(bits(x), 0, 9)],
    "a remainder of too much": lambda x: x[bits(x) % 9],
    "a sum that wraps": lambda x: x[jnp.clip(bits(x), 2**31 - 2, 2**31 - 1) + 2],
    "an unknown number and a known one": lambda x: x[bits(x) + jnp.argmax(x, axis=1)],
    "a long sum": long_sum,
    "signed": lambda x: jnp.arange(127.0)[x[:, 0].astype(jnp.int8)],
}
SPECS: dict[str, Any] = {"named": [("T", 8)], "known": [(5, 8)]}
CLAMPS = {"Clip", "And", "LessOrEqual", "GreaterOrEqual"}


@pytest.mark.parametrize("sizes", SPECS)
@pytest.mark.parametrize("name", INSIDE)
def test_an_index_that_is_inside_is_not_clamped(name: str, sizes: str) -> None:
    model = assert_agrees(INSIDE[name], X, specs=SPECS[sizes], constraints=["T >= 3", "T <= 8"])
    found = operators(model)
    assert found.count("Clip") == (name == "narrow")  # that of the cast
    assert not (CLAMPS - {"Clip"}) & set(found)


def test_no_indices_at_all() -> None:
    def function(x: jax.Array) -> jax.Array:
        return x[jnp.zeros(0, jnp.int32) + jnp.argmax(x, axis=0)[:1].astype(jnp.int32)]

    assert_agrees(function, X)


@pytest.mark.parametrize("name", OUTSIDE)
def test_an_index_that_may_be_outside_is_clamped(name: str) -> None:
    model = assert_agrees(OUTSIDE[name], X, specs=[("T", 8)], constraints=["T >= 3"])
    assert CLAMPS & set(operators(model))
