"""Dynamic slices and updates agree with JAX for all starts, also negative and too large ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.checks.allclose import allclose
from jax2onnx.testing.agreement import assert_agrees, lowered, operators
from jax2onnx.trace import InputSpec

X = np.arange(60, dtype=np.float32).reshape(5, 4, 3)
STARTS = [(0, 0, 0), (1, 2, 1), (4, 3, 2), (-1, -1, -1), (-9, -9, -9), (9, 9, 9)]
SIZES = [(5, 4, 3), (1, 4, 3), (5, 4, 1), (2, 4, 3), (5, 3, 2), (1, 1, 3), (1, 1, 1), (2, 3, 2)]


AT_LEAST = ["A >= 5", "B >= 4", "C >= 3"]


def agree_at_every_start(fn: Any, specs: Sequence[Any], *arrays: Any, **options: Any) -> Any:
    """Check that one model of ``fn(start, ...)`` agrees with JAX at all ``STARTS``."""
    start = InputSpec((3,), np.int32)
    model = lowered(fn, [start, *specs], **options)
    for each in STARTS:
        result = allclose(fn, model, [np.array(each, np.int32), *arrays])
        assert result, f"{each}: {result}"
    return model


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("named", [False, True])
def test_slice(sizes: tuple[int, ...], named: bool) -> None:
    spec = ("A", "B", "C") if named else X.shape

    def fn(start: jax.Array, x: jax.Array) -> jax.Array:
        return lax.dynamic_slice(x, tuple(start), sizes)

    model = agree_at_every_start(fn, [spec], X, constraints=AT_LEAST if named else ())
    if not named and sizes == X.shape:
        assert operators(model) == ["Identity"]
    if not named and sizes in ((1, 4, 3), (5, 4, 1)):
        assert "Gather" in operators(model)


@pytest.mark.parametrize("sizes", SIZES)
def test_update(sizes: tuple[int, ...]) -> None:
    def fn(start: jax.Array, x: jax.Array, update: jax.Array) -> jax.Array:
        return lax.dynamic_update_slice(x, update, tuple(start))

    agree_at_every_start(fn, [X.shape, sizes], X, -np.ones(sizes, np.float32))


def test_update_of_symbolic_sizes() -> None:
    def fn(start: jax.Array, x: jax.Array, update: jax.Array) -> jax.Array:
        return lax.dynamic_update_slice(x, update, tuple(start))

    update = -np.ones((2, 3, 3), np.float32)
    specs = [("A", "B", 3), (2, 3, 3)]
    agree_at_every_start(fn, specs, X, update, constraints=AT_LEAST[:2])


@pytest.mark.parametrize("start", [-9, -2, 0, 3, 9])
def test_a_constant_start(start: int) -> None:
    assert_agrees(lambda x: lax.dynamic_slice_in_dim(x, start, 2), X)
    assert_agrees(lambda x: lax.dynamic_index_in_dim(x, start, 1), X)


@pytest.mark.parametrize("i", [-7, -5, -1, 0, 4, 5])
@pytest.mark.parametrize("rows", [5, "B"])
def test_one_row_counted_from_the_end(i: int, rows: Any) -> None:
    model = assert_agrees(
        lax.dynamic_index_in_dim,
        X,
        np.int32(i),
        specs=[(rows, 4, 3), InputSpec((), np.int32)],
    )
    assert "Where" not in operators(model)  # Gather accepts negative indices.


@pytest.mark.parametrize(
    "choose",
    [
        lambda i: jnp.where(i < 0, i + 3, i),
        lambda i: jnp.where(i < 1, i + 5, i),
        lambda i: jnp.where(i <= 0, i + 5, i),
        lambda i: jnp.where(i < 0, i - 5, i),
        lambda i: jnp.where(i < 0, i + 5, i + 1),
        lambda i: jnp.where(i + 1 < 0, i + 5, i),
        lambda i: jnp.where(i < 0, (i + 1) + 5, i),
        lambda i: jnp.where(i < 0, 5 + 2 * i, i),
    ],
)
def test_indices_that_only_look_like_normalised_negative_indices(choose: Any) -> None:
    def fn(x: jax.Array, i: jax.Array) -> jax.Array:
        return lax.dynamic_slice(x, (choose(i), jnp.int32(0), jnp.int32(0)), (1, 4, 3))

    for i in (-2, -1, 0, 1, 2):
        assert_agrees(fn, X, np.int32(i))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32", "int64"])
@pytest.mark.parametrize("length", [100, 128, 256, 400])
def test_starts_of_every_type(dtype: str, length: int) -> None:
    x = np.arange(length, dtype=np.float32)
    info = np.iinfo(dtype)
    with jax.enable_x64(dtype == "int64"):
        for start in (0, min(info.max, 2**31 - 1), max(info.min, -(2**31)), 99):
            assert_agrees(
                lambda x, i: lax.dynamic_slice(x, (i,), (1,)), x, np.asarray(start, dtype)
            )
