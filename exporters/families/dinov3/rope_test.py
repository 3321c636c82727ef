from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from exporters.families.dinov3 import rope


def angles(rows: int, columns: int, theta: float, head_size: int) -> np.ndarray:
    """Return the angles (rows * columns, d / 2), computed as in transformers but in float64."""
    frequency = 2 * np.pi / theta ** np.arange(0, 1, 4 / head_size)
    y = 2 * (np.arange(rows) + 0.5) / rows - 1
    x = 2 * (np.arange(columns) + 0.5) / columns - 1
    grid = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2, 1)
    return (grid * frequency).reshape(rows * columns, head_size // 2)


@pytest.mark.parametrize(("rows", "columns"), [(14, 14), (1, 1), (3, 7), (64, 48)])
def test_tables_are_correctly_rounded(rows: int, columns: int) -> None:
    cos, sin = rope.tables(rows, columns, 5, 100.0, 64)
    angle = angles(rows, columns, 100.0, 64)
    assert cos.dtype == sin.dtype == np.float32
    np.testing.assert_array_equal(cos[:5], 1)
    np.testing.assert_array_equal(sin[:5], 0)
    for table, exact in ((cos, np.cos(angle)), (sin, np.sin(angle))):
        half_unit = np.spacing(np.abs(table[5:])) / 2
        assert np.all(np.abs(table[5:] - exact) <= half_unit + 1e-15)


def test_dynamic_tables_agree_with_exact_ones() -> None:
    for dynamic, exact in zip(
        rope.dynamic_tables(3, 7, 5, 100.0, 64), rope.tables(3, 7, 5, 100.0, 64), strict=True
    ):
        np.testing.assert_allclose(dynamic, exact, atol=2e-6)


def test_rotation_turns_pairs_of_halves() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 10)).astype(np.float32)
    angle = np.random.default_rng(1).normal(size=(4, 5)).astype(np.float32)
    turned = rope.rotate(jnp.asarray(x), np.cos(angle), np.sin(angle))
    as_complex = (x[..., :5] + 1j * x[..., 5:]) * np.exp(1j * angle)
    expected = np.concatenate([as_complex.real, as_complex.imag], axis=-1)
    np.testing.assert_allclose(turned, expected, atol=1e-6)


def test_tokens_without_a_position_are_not_rotated() -> None:
    x = np.random.default_rng(0).normal(size=(5, 12)).astype(np.float32)
    cos, sin = rope.tables(1, 1, 4, 100.0, 12)
    np.testing.assert_array_equal(rope.rotate(jnp.asarray(x), cos, sin)[:4], x[:4])
