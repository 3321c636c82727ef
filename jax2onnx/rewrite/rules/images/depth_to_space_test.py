from __future__ import annotations

from typing import Any

import dm_pix
import jax
import numpy as np
import pytest
from flax import nnx

from jax2onnx.rewrite.rules.activations import relu
from jax2onnx.rewrite.rules.images import conv_bias, depth_to_space
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.views import layout, stored_order, transpose
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(
    relu, conv_bias, depth_to_space, loop_invariant, layout, stored_order, transpose
)

X = np.random.default_rng(0).standard_normal((2, 12, 4, 6)).astype(np.float32)


def columns_first(x: Any) -> Any:
    return x.reshape(2, 3, 2, 2, 4, 6).transpose(0, 1, 4, 2, 5, 3).reshape(2, 3, 8, 12)


def depth_first(x: Any) -> Any:
    return x.reshape(2, 2, 2, 3, 4, 6).transpose(0, 3, 4, 1, 5, 2).reshape(2, 3, 8, 12)


def to_depth(x: Any) -> Any:
    return x.reshape(2, 12, 2, 2, 3, 2).transpose(0, 3, 5, 1, 2, 4).reshape(2, 48, 2, 3)


def last_columns_first(x: Any) -> Any:
    x = x.transpose(0, 2, 3, 1).reshape(2, 4, 6, 3, 2, 2)
    return x.transpose(0, 1, 4, 2, 5, 3).reshape(2, 8, 12, 3)


@pytest.mark.parametrize(
    ("function", "operator"),
    [
        (columns_first, "DepthToSpace"),
        (depth_first, "DepthToSpace"),
        (to_depth, "SpaceToDepth"),
    ],
)
def test_fires(function: Any, operator: str) -> None:
    assert operators(assert_agrees(function, X)) == [operator]


def test_fires_behind_a_permutation() -> None:
    assert operators(assert_agrees(last_columns_first, X)) == ["DepthToSpace", "Transpose"]


@pytest.mark.parametrize("specs", [[("B", 4, 6, 12)], [(2, 4, 6, 12)]])
@pytest.mark.parametrize(
    ("function", "operator"),
    [(dm_pix.depth_to_space, "DepthToSpace"), (dm_pix.space_to_depth, "SpaceToDepth")],
)
def test_fires_with_channels_last_if_readable_is_preferred(
    function: Any, operator: str, specs: Any
) -> None:
    def batched(x: Any) -> Any:
        return jax.vmap(lambda image: function(image, 2))(x)

    x = X.transpose(0, 2, 3, 1)
    model = assert_agrees(batched, x, specs=specs, prefer="readable")
    assert operators(model) == ["Transpose", operator, "Transpose"]
    assert operators(assert_agrees(batched, x, specs=specs)) == ["Reshape", "Transpose", "Reshape"]


def test_stands_between_convolutions_without_transposes() -> None:
    before = nnx.Conv(12, 12, (3, 3), rngs=nnx.Rngs(0))
    behind = nnx.Conv(3, 3, (3, 3), rngs=nnx.Rngs(0))

    def function(x: Any) -> Any:
        shuffle: Any = jax.vmap(lambda image: dm_pix.depth_to_space(image, 2))
        return behind(shuffle(jax.nn.relu(before(x))))

    model = assert_agrees(function, X.transpose(0, 2, 3, 1), specs=[("B", 4, 6, 12)])
    assert operators(model) == ["Transpose", "Conv", "Relu", "DepthToSpace", "Conv", "Transpose"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    assert operator_counts(assert_agrees(place(depth_first), X))["DepthToSpace"] == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.reshape(2, 3, 2, 2, 4, 6).transpose(0, 1, 4, 3, 5, 2).reshape(2, 3, 8, 12),
        lambda x: x.reshape(2, 6, 2, 1, 4, 6).transpose(0, 1, 4, 2, 5, 3).reshape(2, 6, 8, 6),
        lambda x: x.reshape(2, 3, 2, 2, 4, 6).transpose(0, 1, 4, 2, 5, 3).reshape(2, 24, 12),
        lambda x: x.reshape(2, 12, 2, 2, 3, 2).transpose(0, 1, 3, 5, 2, 4).reshape(2, 48, 2, 3),
    ],
)
def test_holds_back(function: Any) -> None:
    counts = operator_counts(assert_agrees(function, X, prefer="readable"))
    assert counts["DepthToSpace"] == counts["SpaceToDepth"] == 0
