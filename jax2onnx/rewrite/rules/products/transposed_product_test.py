from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array

from jax2onnx.rewrite.rules.attention import attention, softmax
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.products import transposed_product
from jax2onnx.rewrite.rules.views import transpose, view, view_after
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(
    attention, softmax, loop_invariant, transposed_product, transpose, view, view_after
)

RNG = np.random.default_rng(0)
A, B = (RNG.standard_normal(shape, np.float32) for shape in ((2, 3, 5), (2, 5, 4)))
X = RNG.standard_normal((2, 5, 3, 4), np.float32)  # batch, tokens, heads, d


def exchanged(a: Array, b: Array) -> Array:
    return (b.swapaxes(1, 2) @ a.swapaxes(1, 2)).swapaxes(1, 2)


@pytest.mark.parametrize("specs", [[("B", 3, 5), ("B", 5, 4)], [(2, 3, 5), (2, 5, 4)]])
def test_fires(specs: Any) -> None:
    model = assert_agrees(exchanged, A, B, specs=specs)
    assert operators(model) == ["MatMul"]


@pytest.mark.parametrize("specs", [[("B", 5, 3, 4)], [("B", "T", 3, 4)], [(2, 5, 3, 4)]])
@pytest.mark.parametrize("attend", [jax.nn.dot_product_attention, nnx.dot_product_attention])
def test_attention_of_libraries(attend: Any, specs: Any) -> None:
    model = assert_agrees(lambda x: attend(x, x + 1, 2 * x), X, specs=specs)
    counts = operator_counts(model)
    assert (counts["Attention"], counts["Transpose"], counts["MatMul"]) == (1, 0, 0)


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(exchanged), A, B)
    assert operator_counts(model)["Transpose"] == 0


def not_permuted_next(a: Array, b: Array) -> Array:
    return b.swapaxes(1, 2) @ a.swapaxes(1, 2)


def one_side(a: Array, b: Array) -> Array:
    return jnp.swapaxes(a @ jnp.sin(b), 1, 2)


@pytest.mark.parametrize(("function", "count"), [(not_permuted_next, 2), (one_side, 1)])
def test_holds_back(function: Any, count: int) -> None:
    model = assert_agrees(function, A, B)
    assert operators(model).count("Transpose") == count
