from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.lower.rules.indexing.gather import _fill_value
from jax2onnx.lower.rules.windows import bound
from jax2onnx.testing.agreement import assert_agrees, operators

DTYPES = ["float16", "float32", "float64", "int8", "int32", "int64", "uint8", "uint32", "bool"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_element_out_of_bounds_has_jaxs_fill_value(dtype: str) -> None:
    with jax.enable_x64(True):
        expected = np.asarray(jnp.zeros(1, dtype).at[jnp.array([5])].get(mode="fill"))
    assert expected.dtype == dtype
    found = np.asarray(_fill_value(expected.dtype, None)).astype(expected.dtype)
    np.testing.assert_array_equal(found, expected[0])


def test_a_given_fill_value_is_used() -> None:
    assert _fill_value(np.dtype("uint8"), 7) == 7
    assert _fill_value(np.dtype("uint8"), 0) == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sign", [1, -1])
def test_bounds_are_the_limits_of_a_dtype(dtype: Any, sign: int) -> None:
    kind = np.dtype(dtype).kind
    found = bound(np.dtype(dtype), sign)
    if kind == "f":
        assert found == sign * np.inf
    elif kind == "b":
        assert found is (sign > 0)
    else:
        info = np.iinfo(dtype)
        assert found == (info.max if sign > 0 else info.min)


X = np.arange(30, dtype=np.float32).reshape(5, 6)


@pytest.mark.parametrize("width", [1, 3, 6])
def test_an_axis_without_an_index_is_cut(width: int) -> None:
    """A window that is narrower than the operand begins at 0 on the axes that have no index."""
    numbers = lax.GatherDimensionNumbers((1,), (0,), (0,))
    model = assert_agrees(
        lambda x, i: lax.gather(x, i[:, None], numbers, (1, width)), X, np.array([3, 0, 9], "i4")
    )
    assert operators(model).count("Slice") == (width < 6)


def test_only_starts_of_the_user_are_checked() -> None:
    """The window (2, 3) begins at the user's index on the first axis, and at 0 on the second."""
    numbers = lax.GatherDimensionNumbers((1, 2), (), (0,))
    model = assert_agrees(
        lambda x, i: lax.gather(x, i[:, None], numbers, (2, 3)), X, np.array([3, 0, 9], "i4")
    )
    assert operators(model).count("Clip") + operators(model).count("Min") <= 1


@pytest.mark.parametrize("size", [1, 2])
def test_slices_of_a_batch(size: int) -> None:
    assert_agrees(
        jax.vmap(lambda r, i: lax.dynamic_slice(r, (i,), (size,))),
        X,
        np.array([3, 0, 9, 1, 5], "i4"),
    )
