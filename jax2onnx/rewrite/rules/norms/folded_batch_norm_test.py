from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jax2onnx.decorator import onnx_function
from jax2onnx.rewrite.rules.images import conv_bias
from jax2onnx.rewrite.rules.norms import batch_normalization, folded_batch_norm
from jax2onnx.rewrite.rules.products import linear
from jax2onnx.rewrite.rules.views import layout, stored_order, transpose
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import agreement_with, operator_counts

assert_agrees = agreement_with(
    conv_bias, batch_normalization, folded_batch_norm, layout, linear, stored_order, transpose
)

X = np.random.default_rng(0).standard_normal((2, 5, 6, 4)).astype(np.float32)


class Layers(nnx.Module):
    """A convolution and its batch norm, with parameters that are not zeros and ones."""

    def __init__(self, bias: bool = True, groups: int = 1, twice: bool = False) -> None:
        rngs = nnx.Rngs(0)
        self.conv = nnx.Conv(4, 8, (3, 3), use_bias=bias, feature_group_count=groups, rngs=rngs)
        self.norm = nnx.BatchNorm(8, use_running_average=True, rngs=rngs)
        self.twice = twice
        parts: Any = (self.norm.scale, self.norm.bias, self.norm.mean, self.norm.var)
        for part in parts:
            part[...] = part[...] * 1.5 + jnp.linspace(0.1, 0.9, 8)

    def __call__(self, x: Any) -> Any:
        y = self.conv(x)
        return (self.norm(y), y) if self.twice else self.norm(y)


@pytest.mark.parametrize("specs", [[("B", 5, 6, 4)], [(2, 5, 6, 4)]])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("bias", [True, False])
def test_fires(bias: bool, groups: int, specs: Any) -> None:
    model = assert_agrees(Layers(bias, groups), X, specs=specs, fold_batch_norm=True)
    assert operators(model) == ["Transpose", "Conv", "Transpose"]
    names = {tensor.name for tensor in model.graph.initializer}
    assert names == {"conv.kernel", "conv.bias" if bias else "norm.bias"}


class Dense(Layers):
    """A product of matrices and its batch norm."""

    def __init__(self, transposed: bool) -> None:
        super().__init__()
        self.dense = nnx.Linear(8, 8, rngs=nnx.Rngs(1))
        self.transposed = transposed

    def __call__(self, x: Any) -> Any:
        kernel, bias = self.dense.kernel[...], self.dense.bias
        assert bias is not None
        return self.norm(x @ (kernel.T if self.transposed else kernel) + bias[...])


@pytest.mark.parametrize("transposed", [True, False])
def test_fires_at_a_product_of_matrices(transposed: bool) -> None:
    x = np.concatenate([X, X], axis=-1)[0, 0]
    model = assert_agrees(Dense(transposed), x, specs=[("B", 8)], fold_batch_norm=True)
    assert operators(model) == ["Gemm"]
    assert {tensor.name for tensor in model.graph.initializer} == {"dense.kernel", "dense.bias"}


def test_agrees_with_the_folding_of_onnx_runtime() -> None:
    layers = Layers()
    for fold in (False, True):
        assert_agrees(layers, X, fold_batch_norm=fold, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (Layers(), {}),
        (Layers(twice=True), {"fold_batch_norm": True}),
        (Layers().norm, {"fold_batch_norm": True}),
    ],
)
def test_holds_back(function: Any, options: Any) -> None:
    x = np.concatenate([X, X], axis=-1) if isinstance(function, nnx.BatchNorm) else X
    model = assert_agrees(function, x, **options)
    assert operator_counts(model)["BatchNormalization"] == 1


@onnx_function
class Block(Layers):
    """The same layers as one ONNX function."""


def test_holds_back_in_functions() -> None:
    model = assert_agrees(Block(), X, fold_batch_norm=True)
    assert operator_counts(model)["BatchNormalization"] == 1


def test_holds_back_for_weights_with_two_readers() -> None:
    layers = Layers()

    def function(x: Any) -> Any:
        return layers(x), layers.conv(2 * x)

    model = assert_agrees(function, X, fold_batch_norm=True)
    assert operator_counts(model)["BatchNormalization"] == 1
