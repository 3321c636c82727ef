"""Special functions to JAX's accuracy, edges of their domains included."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.scipy import special

from jax2onnx.testing import assert_agrees

X = np.concatenate([np.linspace(-6, 6, 41), [0.5, 1, 2, 30, 100]])
POSITIVE = np.array([0.05, 0.3, 1, 1.5, 2, 7.25, 20, 90])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "name", ["erf", "erfc", "lgamma", "digamma", "bessel_i0e", "bessel_i1e", "log1p", "expm1"]
)
def test_of_one_number(name: str, dtype: str) -> None:
    double = dtype == "float64"
    x = (POSITIVE if name in ("log1p", "digamma") else X).astype(dtype)
    x = x[x < 20] if name == "expm1" else x
    tolerance = 1e-11 if double else 2e-5
    assert_agrees(getattr(lax, name), x, double=double, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_erf_inv(dtype: str) -> None:
    x = np.array([-1, -0.999, -0.3, 0, 1e-6, 0.5, 0.97, 1], dtype)
    assert_agrees(lax.erf_inv, x, double=dtype == "float64", rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("fn", [special.gammainc, special.gammaincc, special.zeta])
def test_of_two_numbers(fn: Any) -> None:
    a = POSITIVE.astype(np.float32) + (1 if fn is special.zeta else 0)
    assert_agrees(fn, a, POSITIVE[::-1].astype(np.float32), rtol=1e-4)


def test_betainc_and_polygamma() -> None:
    x = np.linspace(0.1, 0.9, 8, dtype=np.float32)
    assert_agrees(lambda v: special.betainc(1.5, 2.5, v), x, rtol=1e-4)
    assert_agrees(lambda v: special.polygamma(2, v), x + 1, rtol=1e-4)


def test_gelu_survives_the_decomposition_of_erfc() -> None:
    x = X.astype(np.float32)
    model = assert_agrees(lambda v: jax.nn.gelu(v, approximate=False), x)
    assert [n.op_type for n in model.graph.node] == ["Gelu"]


def test_half_precision_is_computed_in_single() -> None:
    assert_agrees(lax.lgamma, POSITIVE.astype(np.float16), rtol=2e-3, atol=2e-3)
    assert_agrees(
        lambda v: lax.erfc(v.astype(jnp.bfloat16)).astype(jnp.float32),
        X[:20].astype(np.float32),
        rtol=2e-2,
        atol=1e-3,
    )
