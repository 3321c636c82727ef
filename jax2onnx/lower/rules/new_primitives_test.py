"""Primitives of JAX 0.11 and 0.12 convert. Older releases use other primitives instead."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.testing.agreement import assert_agrees, operators

X = np.array([-2.5, -0.75, 0.0, 0.25, 1.0, 3.0], np.float32)


def test_binary_logarithm() -> None:
    assert_agrees(jnp.log2, np.array([0.125, 1, 3, 8, np.inf, 0], np.float32))
    assert_agrees(jnp.log2, np.array([1 + 2j, -3 - 1j], np.complex64))


@pytest.mark.parametrize("coefficients", [1, 3, 12])
def test_polynomial(coefficients: int) -> None:
    weights = np.linspace(-1, 1, coefficients, dtype=np.float32)
    assert_agrees(jnp.polyval, weights, X, rtol=1e-4)


def test_polynomial_of_complex_numbers() -> None:
    assert_agrees(jnp.polyval, np.array([1j, 2, 3 - 1j], np.complex64), X.astype(np.complex64))


def test_derivative_of_tanh_is_accurate_near_one() -> None:
    assert_agrees(jax.vmap(jax.grad(jnp.tanh)), np.array([0, 1, 4, -6], np.float32), atol=1e-7)


def test_one_minus_square_of_each_type() -> None:
    if not hasattr(lax, "one_minus_square"):
        pytest.skip("this release of JAX has no such function")
    for dtype in (np.float32, np.int32, np.complex64):
        assert_agrees(lax.one_minus_square, X.astype(dtype))


def test_a_function_in_program_order_is_lowered_in_place() -> None:
    overlap = pytest.importorskip("jax.experimental.overlap")
    ordered = overlap.program_order(lambda x: jnp.sin(x) * 2, enforce=False)
    assert operators(assert_agrees(ordered, X)) == ["Sin", "Mul"]


def test_a_function_with_metadata_for_xla_is_lowered_in_place() -> None:
    xla_metadata = pytest.importorskip("jax.experimental.xla_metadata")
    if not hasattr(xla_metadata, "xla_metadata_call"):
        pytest.skip("this release of JAX has no such function")
    described = xla_metadata.xla_metadata_call(key="value")(lambda x: jnp.sin(x) * 2)
    assert operators(assert_agrees(described, X)) == ["Sin", "Mul"]
