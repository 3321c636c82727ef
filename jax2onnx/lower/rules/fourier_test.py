"""Fourier transforms of any length are as accurate as numpy's in double precision."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jax2onnx.rewrite.rules.views import split
from jax2onnx.testing.agreement import assert_agrees, operators
from jax2onnx.testing.rewriting import agreement_with
from jax2onnx.trace import InputSpec

LENGTHS = [1, 2, 3, 7, 16, 60, 1009]


def _signal(dtype: str, *shape: int) -> Any:
    x = np.random.default_rng(0).standard_normal((2, *shape))
    kind = np.dtype(dtype)
    return (x[0] + 1j * x[1] if kind.kind == "c" else x[0]).astype(kind)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft"])
def test_any_length(name: str, length: int, double: bool) -> None:
    dtype = ("float" if name == "rfft" else "complex") + ("64" if double else "32")
    dtype = dtype.replace("complex64", "complex128").replace("complex32", "complex64")
    size = length // 2 + 1 if name == "irfft" else length
    x = _signal(dtype, 2, size)
    tolerance = 1e-14 if double else 3e-6
    scale = float(np.abs(getattr(np.fft, name)(x, length)).max())

    def transform(x: Any) -> Any:
        return getattr(jnp.fft, name)(x, length)

    assert_agrees(transform, x, double=double, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("length", [1, 8, 12])
@pytest.mark.parametrize("name", ["fft2", "ifftn"])
def test_symbolic_length(name: str, length: int) -> None:
    specs = [InputSpec(("B", "N", 5), "complex64")]
    assert_agrees(getattr(jnp.fft, name), _signal("complex64", 2, length, 5), specs=specs)


def test_a_power_of_two_is_one_operator() -> None:
    model = agreement_with(split)(jnp.fft.fft, _signal("complex64", 64))
    assert operators(model).count("DFT") == 1
