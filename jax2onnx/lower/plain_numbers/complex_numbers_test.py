"""Complex arithmetic on pairs agrees with JAX; inputs and outputs have pairs in the last axis."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.testing.agreement import assert_agrees

_RNG = np.random.default_rng(0)
Z = (_RNG.standard_normal((4, 6)) + 1j * _RNG.standard_normal((4, 6))).astype(np.complex64)
W = Z[::-1] * (2 - 1j)


_FUNCTIONS = (
    "abs exp log sqrt sin cos tan tanh sinh cosh asin acos atan asinh acosh atanh log1p expm1 sign "
    "rsqrt conj square"
)


@pytest.mark.parametrize("name", _FUNCTIONS.split())
def test_functions(name: str) -> None:
    assert_agrees(getattr(lax, name), Z, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fn", [lax.add, lax.sub, lax.mul, lax.div, lax.pow, lax.eq, lax.ne])
def test_operators(fn: Any) -> None:
    assert_agrees(fn, Z, W, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "fn",
    [
        lambda z: (z.real, z.imag, jnp.angle(z)),
        lambda z: z @ z.T,
        lambda z: z.sum(0) * z.prod(1)[0],
        lambda z: jnp.sort(z, axis=1),
        lambda z: jnp.where(z.real > 0, z, -z)[:, ::-1].reshape(6, 4),
        lambda z: jnp.pad(z, 1).at[0].set(1j),
        lambda z: z**3 + z.real.astype(np.complex64),
    ],
)
def test_structure_and_contractions(fn: Any) -> None:
    assert_agrees(fn, Z, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("parts", ["float32", "float64"])
def test_products_with_real_numbers(parts: str) -> None:
    x = Z.real.astype(parts)
    numbers = (((1,), (1,)), ((), ()))
    assert_agrees(lambda a, z: lax.dot_general(a, z, numbers), x, Z, double=True, rtol=1e-4)


def test_control_flow() -> None:
    def fn(z: jax.Array) -> Any:
        total = lax.fori_loop(0, 3, lambda i, c: c * (1 + 0.5j) + i, z)
        carry, rows = lax.scan(lambda c, r: (c + r, c * 2), jnp.zeros(6, z.dtype), z)
        return lax.cond(z.real[0, 0] > 0, lambda v: v + 1j, lambda v: v, total), carry, rows

    assert_agrees(fn, Z, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fn", [jnp.fft.fft, jnp.fft.ifft, jnp.fft.fft2, jnp.fft.irfft])
def test_fourier_of_complex_numbers(fn: Any) -> None:
    assert_agrees(fn, Z, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("length", [6, 5])
def test_fourier_of_real_numbers(length: int) -> None:
    x = np.ascontiguousarray(Z.real[:, :length])
    assert_agrees(jnp.fft.rfft, x, rtol=1e-4, atol=1e-4)
    assert_agrees(lambda v: jnp.fft.irfft(jnp.fft.rfft(v), length), x, rtol=1e-4, atol=1e-4)
