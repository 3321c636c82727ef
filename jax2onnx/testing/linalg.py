"""Matrices and tolerances of this folder's tests."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import onnx

from jax2onnx.testing.agreement import assert_agrees

DTYPES = ["float32", "float64", "complex64", "complex128"]


def random(dtype: str, *shape: int) -> np.ndarray[Any, Any]:
    """Return normal numbers, which are the same for equal shapes."""
    rng = np.random.default_rng(len(shape))
    x = rng.standard_normal((2, *shape))
    kind = np.dtype(dtype)
    return np.asarray(x[0] + 1j * x[1] if kind.kind == "c" else x[0], kind)


def adjoint(a: Any) -> Any:
    """Return the conjugate transpose of matrices, in numpy or JAX."""
    return a.swapaxes(-1, -2).conj()


def positive(dtype: str, *shape: int) -> np.ndarray[Any, Any]:
    """Return Hermitian matrices that are positive definite and well conditioned."""
    a = random(dtype, *shape)
    return np.asarray(a @ adjoint(a) + np.eye(shape[-1], dtype=dtype))


def assert_close(fn: Callable[..., Any], *arrays: Any, **options: Any) -> onnx.ModelProto:
    """`assert_agrees` in the precision of the first array, to about 100 units of roundoff.

    JAX computes it as one program, which takes less time than one operation after the other.
    """
    double = arrays[0].dtype.name in ("float64", "complex128")
    tolerance = 3e-14 if double else 1.5e-5
    return assert_agrees(
        jax.jit(fn), *arrays, rtol=tolerance, atol=tolerance, double=double, **options
    )
