"""Decoding agrees with ml_dtypes, which implements both number formats."""

import jax
import ml_dtypes
import numpy as np

from exporters.families.gpt_oss import mxfp4


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


def test_decode() -> None:
    random = np.random.default_rng(0)
    blocks = random.integers(0, 256, (2, 3, 5, 16), np.uint8)
    scales = random.integers(110, 130, (2, 3, 5), np.uint8)
    nibbles = np.stack([blocks & 15, blocks >> 4], axis=-1).reshape(2, 3, 5, 32)
    values = nibbles.view(ml_dtypes.float4_e2m1fn).astype(np.float32)
    expected = values * 2.0 ** (scales.astype(np.float32)[..., None] - 127)
    decoded = jax.jit(mxfp4.decode)(blocks, scales)
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, expected.reshape(2, 3, 160))
