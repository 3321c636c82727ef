"""Operations that move elements are lazy, so operations that cancel are not in the graph."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.testing.agreement import assert_agrees, operators

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: x.transpose(2, 0, 1),
        lambda x: lax.reshape(x, (4, 6), (2, 0, 1)),
        lambda x: x[::-1, 1:, ::2],
        lambda x: lax.rev(x, (0, 2)),
        lambda x: jnp.split(x, [1, 3], axis=2),
        lambda x: jnp.concatenate([x, x[:, :0], x * 2], axis=1),
        lambda x: jnp.stack([x, x + 1], axis=1),
        lambda x: jnp.unstack(x, axis=1),
        lambda x: jnp.tile(x, (2, 1, 3)),
        lambda x: jnp.broadcast_to(x[:, :1], (5, 2, 3, 4)) + jnp.zeros(()),
        lambda x: lax.broadcast_in_dim(x, (4, 2, 5, 3), (1, 3, 0)),
        lambda x: lax.pad(x, 7.0, [(1, 2, 0), (-1, 0, 0), (0, -1, 2)]),
        lambda x: lax.pad(x, 7.0, [(-5, 4, 0), (0, 0, 0), (5, -9, 0)]),
        lambda x: x.sum() + jnp.arange(5) + lax.broadcasted_iota(jnp.float32, (2, 5), 1),
        lambda x: jnp.squeeze(x[:, None, :1]),
    ],
)
def test_against_jax(fn: Any) -> None:
    assert_agrees(fn, X)


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: x.transpose(2, 0, 1).transpose(1, 2, 0) + 1,
        lambda x: x.reshape(6, 4).reshape(2, 3, 4) + 1,
        lambda x: x[:, None].squeeze(1) + 1,
        lambda x: jnp.broadcast_to(jnp.ones(4), (2, 3, 4)) + x,
        lambda x: x + jnp.ones((1, 1, 4)),
    ],
)
def test_cancelling_and_broadcasting_operations_are_left_out(fn: Any) -> None:
    assert operators(assert_agrees(fn, X)) == ["Add"]


@pytest.mark.parametrize(
    ("fn", "shape"),
    [
        (lambda x: x.reshape(x.shape[0], -1), ("B", 3, 4)),
        (lambda x: x.reshape(-1, 4), ("B", "T", 4)),
        (lambda x: x.reshape(x.shape[0] * 3, 4).reshape(x.shape), ("B", 3, 4)),
        (lambda x: jnp.broadcast_to(x[:, :, :1], x.shape), ("B", "T", "D")),
        (lambda x: jnp.arange(x.shape[1]) + x.shape[0] * 2, ("B", "T", 4)),
        (lambda x: x[:, : x.shape[1] // 2], ("B", "2*h+1", 4)),
        (lambda x: jnp.concatenate([x, x], 0)[x.shape[0] :], ("B", 3, 4)),
        (lambda x: jnp.ones((x.shape[0] + 1, x.shape[1] % 2 + 1)), ("B", "T", 4)),
        (lambda x: jnp.pad(x, ((0, 0), (1, x.shape[0]), (0, 0))), ("B", 3, 4)),
        (lambda x: jnp.pad(x, ((0, 0), (1, 1), (0, 0))) * 2, ("B", 3, 4)),
        (lambda x: jnp.tile(x, (x.shape[0], 1, 1)), ("B", 3, 4)),
        (lambda x: jnp.zeros(jax.core.max_dim(x.shape[0], x.shape[1])), ("B", "T", 4)),
    ],
)
def test_symbolic_dimensions(fn: Any, shape: Any) -> None:
    assert_agrees(fn, X, specs=[shape])


@pytest.mark.parametrize("mode", ["edge", "reflect", "wrap", "mean", "symmetric", "linear_ramp"])
def test_every_padding(mode: Any) -> None:
    assert_agrees(lambda x: jnp.pad(x, ((0, 0), (1, 2), (2, 0)), mode=mode), X)


def test_exact_arithmetic_on_constants_is_folded() -> None:
    def fn(x: jax.Array) -> Any:
        root = jnp.sqrt(lax.optimization_barrier(jnp.float32(6)))
        return x / root + lax.tile(jnp.arange(2.0, dtype=np.float32), (2,))

    assert operators(assert_agrees(fn, X)) == ["Div", "Add"]
