"""Operations on the bits of integers and floats are exact."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.errors import UnsupportedUseError
from jax2onnx.testing.agreement import assert_agrees, lowered, operators
from jax2onnx.trace import InputSpec

FLOATS = np.array(
    [0, -0.0, 1, -1.5, np.pi, 1e-30, 1e30, np.inf, -np.inf, 65504, 6e-8, 3.4e38, 1.2e-38, np.nan],
    "f4",
)
INTEGERS = np.array([0, 1, -1, 5, -6, 2**31 - 1, -(2**31)], np.int32)


@pytest.mark.parametrize("opset", [25, 26])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_bits_of_a_float_and_back(dtype: Any, opset: int) -> None:
    unsigned = "uint32" if dtype == "float32" else "uint16"

    def fn(x: jax.Array) -> Any:
        bits = lax.bitcast_convert_type(x.astype(dtype), unsigned)
        return bits, lax.bitcast_convert_type(bits, dtype).astype(jnp.float32)

    model = assert_agrees(fn, FLOATS, opset=opset)
    assert ("BitCast" in operators(model)) == (opset >= 26)


def test_bits_of_types_without_kernels_are_refused() -> None:
    with pytest.raises(UnsupportedUseError, match="from float8_e4m3fn to uint8"):
        lowered(
            lambda x: lax.bitcast_convert_type(x, np.uint8), [InputSpec((2,), jnp.float8_e4m3fn)]
        )


def test_doubles() -> None:
    x = np.array([0, -0.0, 1e-300, -2.5, 1e300, np.inf], np.float64)
    assert_agrees(lambda v: lax.bitcast_convert_type(v, np.uint64), x, double=True)


@pytest.mark.parametrize("new", ["uint8", "int16", "float32"])
def test_other_widths(new: str) -> None:
    assert_agrees(lambda x: lax.bitcast_convert_type(x, new), INTEGERS)


def test_narrow_elements_combine_to_a_wide_one() -> None:
    parts = np.arange(8, dtype=np.uint8).reshape(2, 4)
    assert_agrees(lambda x: lax.bitcast_convert_type(x, np.uint32), parts)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32"])
@pytest.mark.parametrize(
    "fn", [lax.shift_left, lax.shift_right_logical, lax.shift_right_arithmetic]
)
def test_shifts_by_any_amount(fn: Any, dtype: str) -> None:
    x = np.array([1, 3, 100, 0, 127, 64], dtype)
    assert_agrees(fn, np.concatenate([x, ~x]), np.arange(12).astype(dtype) * 3)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "uint32"])
@pytest.mark.parametrize("fn", [lax.population_count, lax.clz])
def test_counts(fn: Any, dtype: str) -> None:
    assert_agrees(fn, INTEGERS.astype(dtype))


def test_neighbouring_floats() -> None:
    others = np.roll(FLOATS, 3)
    assert_agrees(lax.nextafter, FLOATS[:9], others[:9], rtol=0, atol=0)


@pytest.mark.parametrize("bits", [(5, 10), (8, 7), (4, 3)])
def test_reduced_precision(bits: tuple[int, int]) -> None:
    assert_agrees(lambda x: lax.reduce_precision(x, *bits), FLOATS[:10], rtol=0, atol=0)


@pytest.mark.parametrize("opset", [23, 26])
def test_the_bits_of_a_constant_are_a_constant(opset: int) -> None:
    def fn(x: jax.Array) -> jax.Array:
        return x + lax.bitcast_convert_type(jnp.float32(0.1), jnp.uint32)

    model = assert_agrees(fn, np.arange(3, dtype=np.uint32), opset=opset)
    assert [node.op_type for node in model.graph.node] == ["Add"]
