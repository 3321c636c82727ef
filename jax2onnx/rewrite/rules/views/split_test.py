from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax

from jax2onnx.rewrite.rules.indexing import gather
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.views import split
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(gather, loop_invariant, split)

X = np.arange(48, dtype=np.float32).reshape(4, 12)


def three(x: Array) -> Array:
    """Return parts of a fused projection in another order than they are stored."""
    q, v, k = x[:, :4], x[:, 8:], x[:, 4:8]
    return q * k + v


def unequal(x: Array) -> tuple[Array, Array]:
    return lax.slice_in_dim(x, 0, 5, axis=1), lax.slice_in_dim(x, 5, 12, axis=1)


@pytest.mark.parametrize("specs", [[("B", 12)], [(4, 12)]])
@pytest.mark.parametrize("function", [three, unequal])
def test_fires(function: Any, specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs)
    counts = operator_counts(model)
    assert (counts["Split"], counts["Slice"]) == (1, 0)


def test_a_part_that_is_read_twice() -> None:
    def function(x: Array) -> Array:
        return x[:, :6] * x[:, 6:] + jnp.sin(x[:, :6])

    assert operators(assert_agrees(function, X)).count("Split") == 1


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(three), X)
    assert operator_counts(model)["Split"] == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x[:, :6], x[:, 5:]),
        lambda x: (x[:, :4], x[:, 6:]),
        lambda x: (x[:, ::2], x[:, 1::2]),
        lambda x: (x[:, :6], x[:2]),
        lambda x: x[:, :6],
    ],
)
def test_holds_back(function: Any) -> None:
    assert operator_counts(assert_agrees(function, X))["Split"] == 0
