"""Products agree with ml_dtypes, which implements both number formats."""

from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

import jax2onnx
from exporters.families.gpt_oss import mxfp4
from exporters.parity.compare import open_session


def test_the_low_nibble_comes_first() -> None:
    codes = np.arange(256, dtype=np.uint8)
    nibbles = np.stack([codes & 15, codes >> 4], axis=-1)
    expected = nibbles.view(ml_dtypes.float4_e2m1fn).astype(np.float32)
    np.testing.assert_array_equal(mxfp4.PAIRS, expected)
    np.testing.assert_array_equal(np.signbit(mxfp4.PAIRS), np.signbit(expected))


def test_scales_are_powers_of_two() -> None:
    codes = np.arange(256, dtype=np.uint8)
    expected = codes.view(ml_dtypes.float8_e8m0fnu).astype(np.float32)
    np.testing.assert_array_equal(mxfp4.SCALES, expected)


def packed(outputs: int, inputs: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return random blocks and scales of a weight (outputs, inputs)."""
    random = np.random.default_rng(0)
    blocks = random.integers(0, 256, (outputs, inputs // 32, 16), np.uint8)
    return blocks, random.integers(110, 130, (outputs, inputs // 32), np.uint8)


def decoded(blocks: npt.NDArray[Any], scales: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the weight, by ml_dtypes."""
    nibbles = np.stack([blocks & 15, blocks >> 4], axis=-1).reshape(*scales.shape, 32)
    values = nibbles.view(ml_dtypes.float4_e2m1fn).astype(np.float64)
    factors: npt.NDArray[np.float64] = scales.view(ml_dtypes.float8_e8m0fnu).astype(np.float64)
    weight: npt.NDArray[np.float64] = values * factors[..., None]
    return weight.reshape(len(scales), -1)


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-6), (np.float16, 2e-3)])
def test_products(rows: int, dtype: npt.DTypeLike, tolerance: float) -> None:
    blocks, scales = packed(96, 160)
    x = np.random.default_rng(1).standard_normal((rows, 160)).astype(dtype)
    products = jax.jit(mxfp4.matmul)(x, blocks, scales)
    assert products.dtype == dtype
    expected = x.astype(np.float64) @ decoded(blocks, scales).T
    largest = np.abs(expected).max()
    np.testing.assert_allclose(products, expected, rtol=0, atol=tolerance * largest)


def test_each_weight_is_exact() -> None:
    """Unit vectors pick single weights, which no rounding may change."""
    blocks, scales = packed(32, 64)
    weight = decoded(blocks, scales)
    unit = np.eye(64, dtype=np.float32)
    np.testing.assert_array_equal(jax.jit(mxfp4.matmul)(unit, blocks, scales), weight.T)
    for number in (0, 1, 33, 63):
        row = jax.jit(mxfp4.matmul)(unit[number : number + 1], blocks, scales)
        np.testing.assert_array_equal(row[0], weight[:, number])


def test_the_number_of_rows_may_stay_open() -> None:
    blocks, scales = packed(96, 160)
    session = open_session(
        jax2onnx.to_onnx(
            lambda x: mxfp4.matmul(x, jnp.asarray(blocks), jnp.asarray(scales)),
            [jax2onnx.InputSpec(("R", 160), "float32")],
            input_names=["x"],
        ).SerializeToString(),
        "cpu",
    )
    x = np.random.default_rng(1).standard_normal((3, 160)).astype(np.float32)
    expected = x.astype(np.float64) @ decoded(blocks, scales).T
    for rows in (1, 3):
        (products,) = session.run(None, {"x": x[:rows]})
        np.testing.assert_allclose(products, expected[:rows], rtol=0, atol=1e-6 * expected.max())
