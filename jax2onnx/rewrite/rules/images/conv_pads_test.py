from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from jax import Array, lax

from jax2onnx.rewrite.rules.images import conv_pads
from jax2onnx.rewrite.rules.views import layout, transpose
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(conv_pads, layout, transpose)

GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((2, 7, 8, 3)).astype(np.float32)
KERNEL: Any = GENERATOR.standard_normal((3, 3, 3, 3)).astype(np.float32)


def conv(x: Array, padding: Any = "VALID") -> Array:
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, KERNEL, (2, 2), padding, dimension_numbers=numbers)


def padded(x: Array, *amounts: tuple[int, int], **options: Any) -> Array:
    return jnp.pad(x, ((0, 0), *amounts, (0, 0)), **options)


def pads(model: onnx.ModelProto) -> list[list[int]]:
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    return [list(onnx.helper.get_node_attr_value(node, "pads")) for node in convs]


@pytest.mark.parametrize("specs", [[("B", 7, 8, 3)], [(2, 7, 8, 3)], [("B", "H", "W", 3)]])
def test_fires(specs: Any) -> None:
    model = assert_agrees(lambda x: conv(padded(x, (1, 2), (0, 3))), X, specs=specs, rtol=1e-4)
    assert operator_counts(model)["Pad"] == 0
    assert pads(model) == [[1, 0, 2, 3]]


def test_adds_to_the_padding_of_the_convolution() -> None:
    model = assert_agrees(lambda x: conv(padded(x, (1, 0), (0, 1)), "SAME"), X, rtol=1e-4)
    own = pads(assert_agrees(lambda x: conv(x, "SAME"), np.pad(X, 1)[1:-1, :-1, 1:, 1:-1]))
    assert operator_counts(model)["Pad"] == 0
    assert pads(model) == [[own[0][0] + 1, own[0][1], own[0][2], own[0][3] + 1]]


def test_fires_between_convolutions() -> None:
    model = assert_agrees(lambda x: conv(padded(conv(x), (1, 1), (1, 1))), X, rtol=1e-4)
    assert operator_counts(model) == {"Transpose": 3, "Conv": 2}  # one is that of the kernel


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(lambda x: conv(padded(x, (1, 1), (1, 1)))), X, rtol=1e-4)
    assert operator_counts(model)["Pad"] == 0


def also_read(x: Array) -> tuple[Array, Array]:
    wide = padded(x, (1, 1), (1, 1))
    return conv(wide), jnp.sin(wide)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: conv(padded(x, (1, 1), (1, 1), constant_values=1.0)),
        lambda x: conv(jnp.pad(x[..., :2], ((0, 0), (0, 0), (0, 0), (0, 1)))),
        lambda x: conv(jnp.pad(x, ((1, 0), (1, 1), (1, 1), (0, 0)))),
        lambda x: conv(lax.pad(x, np.float32(0), ((0, 0, 0), (0, 0, 1), (0, 0, 0), (0, 0, 0)))),
        also_read,
    ],
)
def test_holds_back(function: Any) -> None:
    model = assert_agrees(function, X, rtol=1e-4, atol=1e-5)
    assert operator_counts(model)["Pad"] == 1
