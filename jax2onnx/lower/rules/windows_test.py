"""Windows of any monoid, size, stride, padding and dilation, and gradients of pools, agree."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from jax import lax

from jax2onnx.testing.agreement import assert_agrees

X = np.random.default_rng(0).standard_normal((2, 9, 8, 3), dtype=np.float32)


@pytest.mark.parametrize("window", [(2, 2), (3, 1), (5, 4)])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("init", "combine"), [(-np.inf, lax.max), (np.inf, lax.min), (0.0, lax.add)]
)
def test_pooling(init: float, combine: Any, padding: str, window: tuple[int, int]) -> None:
    def fn(x: jax.Array) -> Any:
        return lax.reduce_window(x, init, combine, (1, *window, 1), (1, 2, 1, 1), padding)

    assert_agrees(fn, X, specs=[("B", 9, 8, 3)])


def test_dilations() -> None:
    def fn(x: jax.Array) -> Any:
        return lax.reduce_window(
            x,
            0.0,
            lax.add,
            (1, 3, 2, 1),
            (1, 1, 2, 1),
            [(0, 0), (1, 1), (2, 0), (0, 0)],
            (1, 2, 1, 1),
            (1, 1, 3, 1),
        )

    assert_agrees(fn, X)


def test_any_monoid_starts_from_the_initial_value() -> None:
    def fn(x: jax.Array) -> Any:
        return lax.reduce_window(
            x, np.float32(1), lambda a, b: a * b, (1, 2, 3, 1), (1, 1, 1, 1), "SAME"
        )

    assert_agrees(fn, X)


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8"])
@pytest.mark.parametrize("dilation", [1, 2])
def test_padding_does_not_affect_the_extremum(dilation: int, dtype: str) -> None:
    def fn(x: jax.Array) -> Any:
        padding = [(0, 0), (1, 2), (9, 0), (0, 0)]
        init = np.asarray(5, dtype)
        sizes = (1, 2, 3, 1), (1, 1, 1, 1)
        return lax.reduce_window(x, init, lax.add, *sizes, padding, (1, dilation, 1, 1))

    assert_agrees(fn, (X * 9).astype(np.int32).astype(dtype))


@pytest.mark.parametrize("combine", [lax.max, lax.min])
def test_gradients_go_to_the_elements_that_a_window_selects(combine: Any) -> None:
    init = -np.inf if combine is lax.max else np.inf

    def loss(x: jax.Array) -> Any:
        pooled = lax.reduce_window(x, init, combine, (1, 2, 2, 1), (1, 2, 2, 1), "SAME")
        return (pooled * pooled).sum()

    assert_agrees(jax.grad(loss), X)
    assert_agrees(lambda x: jax.jvp(loss, (x,), (x * 0.5,))[1], X, rtol=1e-4)


def test_integers() -> None:
    def fn(x: jax.Array) -> Any:
        return lax.reduce_window(x, np.int32(-5), lax.max, (2, 2), (1, 2), "VALID")

    assert_agrees(fn, np.arange(-12, 12, dtype=np.int32).reshape(4, 6))
