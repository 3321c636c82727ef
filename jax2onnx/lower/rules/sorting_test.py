"""Sorting and selection agree with JAX, also for NaN and ties."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.testing.agreement import assert_agrees

EDGES = np.array([[3, np.nan, -np.inf, 1, 1], [np.inf, 2, np.nan, -1, 0]], np.float32)
KEYS = np.array([2, 0, 1, 0, 2, 1], np.int32)
OTHER = np.array([5, 4, 3, 2, 1, 0], np.float32)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("fn", [jnp.sort, jnp.argsort])
def test_sort_puts_nan_last(fn: Any, axis: int) -> None:
    assert_agrees(lambda x: fn(x, axis=axis, stable=True), EDGES)


@pytest.mark.parametrize("num_keys", [1, 2])
def test_several_operands_and_keys(num_keys: int) -> None:
    def fn(a: Any, b: Any) -> Any:
        return lax.sort((a, b, b * 2), num_keys=num_keys, is_stable=True)

    assert_agrees(fn, KEYS, OTHER)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "float16", "bool"])
def test_types(dtype: str) -> None:
    assert_agrees(lax.sort, KEYS.astype(dtype))


@pytest.mark.parametrize("k", [1, 3])
def test_top_k(k: int) -> None:
    assert_agrees(lambda x: lax.top_k(x, k), np.nan_to_num(EDGES))


def test_functions_based_on_sorting() -> None:
    x = np.nan_to_num(EDGES, posinf=9, neginf=-9)
    assert_agrees(lambda v: (jnp.median(v, axis=1), jnp.quantile(v, 0.3)), x)
    assert_agrees(lambda v: jnp.sort(v, axis=1), x, specs=[("B", 5)])
