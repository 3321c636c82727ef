"""Graphs of known architectures are as small as a person would write them.

The models are narrow but have every layer, so the counts of operators are those of the full size.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from flax import nnx

from jax2onnx import onnx_function, to_onnx
from tests.models import gpt2, resnet, vit

VIT = vit.Config(image=32, width=24, heads=2, classes=10)
GPT2 = gpt2.Config(width=24, heads=2, tokens=40, positions=32)
RESNET = resnet.Config(width=4, classes=10)
TEXT = [jnp.zeros((2, 16), jnp.int32)]


def count(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def zeros(tree: Any) -> Any:
    """Return zeros for the shapes in a pytree. Random numbers would take longer than converting."""
    shape = jax.ShapeDtypeStruct
    return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype) if isinstance(x, shape) else x, tree)


def convert_vit() -> onnx.ModelProto:
    return to_onnx(zeros(eqx.filter_eval_shape(vit.build, VIT)), [("B", 3, 32, 32)])


def convert_gpt2() -> onnx.ModelProto:
    variables = jax.eval_shape(lambda: gpt2.build(GPT2)[1])
    return to_onnx((gpt2.GPT2(GPT2), zeros(variables)), TEXT)


def convert_resnet() -> onnx.ModelProto:
    graph, state = nnx.split(nnx.eval_shape(lambda: resnet.build(RESNET)))
    return to_onnx(nnx.merge(graph, zeros(state)), [("B", 64, 64, 3)])


def test_vit() -> None:
    found = count(convert_vit())
    assert found["Attention"] == found["Gelu"] == VIT.depth
    assert found["LayerNormalization"] == 2 * VIT.depth + 1
    assert found["Transpose"] <= 1  # It turns patches into tokens.
    assert found.total() < 260


@pytest.mark.parametrize("spec", [("B", "T", 24), (2, 16, 24)])
def test_block_of_gpt2(spec: Any) -> None:
    variables = jax.eval_shape(lambda: gpt2.build_block(GPT2)[1])
    found = count(to_onnx((gpt2.Block(GPT2), zeros(variables)), [spec]))
    assert found == {
        "LayerNormalization": 2,
        "MatMul": 4,
        "Add": 6,
        "Split": 1,
        "Attention": 1,
        "Gelu": 1,
    }


def test_resnet() -> None:
    model = convert_resnet()
    found = count(model)
    (transpose,) = (n for n in model.graph.node if n.op_type == "Transpose")
    assert list(transpose.input) == [model.graph.input[0].name]
    assert found["Conv"] == 53
    assert found.total() < 180


def batch_norm(x: Any, parameters: Any) -> Any:
    """Normalise as Keras does, with statistics that are parameters."""
    scale, bias, mean, variance = (p.reshape(1, 1, 1, -1) for p in parameters)
    inverse = jax.lax.rsqrt(variance + 1e-3) * scale
    return x * inverse + (-mean * inverse + bias)


def test_block_of_a_resnet_of_keras() -> None:
    kernels = [jnp.ones((3, 3, 8, 8)), jnp.ones((1, 1, 8, 8))]
    norms = [[jnp.full(8, 0.5 + i) for i in range(4)] for _ in range(2)]
    numbers = ("NHWC", "HWIO", "NHWC")

    def block(x: Any) -> Any:
        y = jax.nn.relu(batch_norm(x, norms[0]))
        y = jnp.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0)))
        y = jax.lax.conv_general_dilated(y, kernels[0], (1, 1), "VALID", dimension_numbers=numbers)
        y = jax.nn.relu(batch_norm(y, norms[1]))
        y = jax.lax.conv_general_dilated(y, kernels[1], (1, 1), "VALID", dimension_numbers=numbers)
        return x + y

    model = to_onnx(block, [("B", 16, 16, 8)])
    expected = {"Transpose": 2, "BatchNormalization": 2, "Relu": 2, "Conv": 2, "Add": 1}
    assert count(model) == expected
    assert {tuple(i.dims) for i in model.graph.initializer} == {(8,), (8, 8, 3, 3), (8, 8, 1, 1)}


@pytest.mark.parametrize(
    ("block", "convert", "calls"),
    [
        (vit.Block, convert_vit, VIT.depth),
        (gpt2.Block, convert_gpt2, GPT2.depth),
        (resnet.Bottleneck, convert_resnet, sum(RESNET.depths)),
    ],
    ids=["vit", "gpt2", "resnet"],
)
def test_blocks_as_functions(
    block: Any, convert: Any, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block, "__call__", onnx_function(block.__call__))
    model = convert()
    found = count(model)
    assert sum(found[f.name] for f in model.functions) == calls
    assert found.total() < 80
