"""Special functions are as accurate as JAX's, also at the edges of their domains."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.scipy import special

from jax2onnx.rewrite.rules.activations import clip, gelu
from jax2onnx.testing.agreement import assert_agrees
from jax2onnx.testing.rewriting import agreement_with

X = np.concatenate([np.linspace(-6, 6, 41), [0.5, 1, 2, 30, 100]])
POSITIVE = np.array([0.05, 0.3, 1, 1.5, 2, 7.25, 20, 90])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "name", ["erf", "erfc", "lgamma", "digamma", "bessel_i0e", "bessel_i1e", "log1p", "expm1"]
)
def test_functions_of_one_argument(name: str, dtype: str) -> None:
    double = dtype == "float64"
    x = (POSITIVE if name in ("log1p", "digamma") else X).astype(dtype)
    x = x[x < 20] if name == "expm1" else x
    tolerance = 1e-11 if double else 2e-5
    assert_agrees(getattr(lax, name), x, double=double, rtol=tolerance, atol=tolerance)


def test_the_complementary_error_function_is_accurate_where_it_is_small() -> None:
    x = np.concatenate([np.linspace(1, 26, 101), np.linspace(-6, 0, 13)])
    assert_agrees(lax.erfc, x, double=True, rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_erf_inv(dtype: str) -> None:
    near_one = 1 - 10.0 ** -np.arange(1, 17)
    x = np.array([-1, -0.999, -0.3, 0, 1e-6, 0.5, *near_one, 1, 1.5, -2, np.nan], dtype)
    tolerance = 1e-14 if dtype == "float64" else 2e-6
    assert_agrees(lax.erf_inv, x, double=dtype == "float64", rtol=tolerance, atol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fn", [lax.zeta, lax.polygamma])
def test_poles_and_large_arguments(fn: Any, dtype: str) -> None:
    x = np.array([0, 1, 2, 3, 4.5, 200, np.inf, np.nan], dtype)
    q = np.array([-3, -2.5, -0.0, 0, 0.5, 1, 7, 1e4, np.inf, np.nan], dtype)
    grid = [a.ravel() for a in np.meshgrid(x, q)]
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    assert_agrees(fn, *grid, double=dtype == "float64", rtol=tolerance, atol=1e-37)


@pytest.mark.parametrize("name", ["lgamma", "digamma", "bessel_i0e", "bessel_i1e", "erfc"])
def test_the_limits_of_the_range(name: str) -> None:
    most = np.finfo(np.float32).max
    x = np.array([0, -0.0, -1, -2, 1e38, -1e38, most, np.inf, -np.inf, np.nan], np.float32)
    assert_agrees(getattr(lax, name), x, rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("fn", [special.gammainc, special.gammaincc, special.zeta])
def test_functions_of_two_arguments(fn: Any) -> None:
    a = POSITIVE.astype(np.float32) + (1 if fn is special.zeta else 0)
    assert_agrees(fn, a, POSITIVE[::-1].astype(np.float32), rtol=1e-4)


def test_betainc_and_polygamma() -> None:
    x = np.linspace(0.1, 0.9, 8, dtype=np.float32)
    assert_agrees(lambda v: special.betainc(1.5, 2.5, v), x, rtol=1e-4)
    assert_agrees(lambda v: special.polygamma(2, v), x + 1, rtol=1e-4)


def test_gelu_is_recognised_despite_the_decomposition_of_erfc() -> None:
    x = X.astype(np.float32)
    model = agreement_with(clip, gelu)(lambda v: jax.nn.gelu(v, approximate=False), x)
    assert [n.op_type for n in model.graph.node] == ["Gelu"]


def test_half_precision_is_computed_in_single_precision() -> None:
    assert_agrees(lax.lgamma, POSITIVE.astype(np.float16), rtol=2e-3, atol=2e-3)
    assert_agrees(
        lambda v: lax.erfc(v.astype(jnp.bfloat16)).astype(jnp.float32),
        X[:20].astype(np.float32),
        rtol=2e-2,
        atol=1e-3,
    )
