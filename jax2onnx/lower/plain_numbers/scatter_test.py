"""Complex scatters agree with JAX for duplicate, out-of-bounds and batched indices."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax2onnx.testing.agreement import assert_agrees


def _numbers(*shape: int) -> Any:
    x = np.random.default_rng(len(shape)).standard_normal((2, *shape))
    return np.asarray(x[0] + 1j * x[1], "complex64")


@pytest.mark.parametrize("method", ["multiply", "min", "max"])
def test_duplicate_indices(method: str) -> None:
    i = np.array([0, 3, 3, -1, 9, 3], np.int32)
    assert_agrees(lambda z, u: getattr(z.at[i], method)(u), _numbers(5, 2), _numbers(6, 2))


@pytest.mark.parametrize("mode", ["drop", "clip"])
def test_windows_and_modes(mode: str) -> None:
    def scattered(z: Any, u: Any, i: Any) -> Any:
        return z.at[i, 1:3].multiply(u, mode=mode)

    i = np.array([1, 7, 1, 0], np.int32)
    assert_agrees(scattered, _numbers(4, 5), _numbers(4, 2), i)


def test_batches() -> None:
    def scattered(z: Any, u: Any, i: Any) -> Any:
        return jax.vmap(lambda z, u, i: z.at[i].multiply(u))(z, u, i)

    i = np.array([[0, 0], [2, 1], [3, 9]], np.int32)
    assert_agrees(scattered, _numbers(3, 4), _numbers(3, 2), i)


def test_without_updates() -> None:
    assert_agrees(lambda z: z.at[jnp.zeros(0, int)].multiply(jnp.ones(0)), _numbers(3))
