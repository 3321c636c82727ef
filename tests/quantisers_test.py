"""The public quantisers of ONNX Runtime find the weights of all dense layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnxruntime.quantization import quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.quantization.onnx_model import ONNXModel

from exporters.families.minilm.config import MiniLMConfig
from exporters.families.minilm.model import MiniLM
from jax2onnx import to_onnx
from tests.models import gpt2, vit

RNG = np.random.default_rng(0)
TOKENS = RNG.integers(0, 40, (2, 16)).astype(np.int32)
MASK = np.ones((2, 16), np.int32)
IMAGES = RNG.standard_normal((2, 3, 32, 32), np.float32)

VIT = vit.Config(image=32, width=32, heads=2, classes=10, depth=2)
GPT2 = gpt2.Config(width=32, heads=2, tokens=40, positions=32, depth=2)
BERT = MiniLMConfig(
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=32,
    vocab_size=40,
    type_vocab_size=2,
    layer_norm_eps=1e-12,
)


class Case(NamedTuple):
    """A model of known architecture.

    Attributes:
        build: returns what ``to_onnx`` takes.
        arrays: its inputs.
        layers: the number of its dense layers.
        tied: the number of products with a weight that is also read as a table.
    """

    build: Callable[[], Any]
    arrays: Sequence[np.ndarray[Any, Any]]
    layers: int
    tied: int = 0


def bert() -> MiniLM:
    """Return a small BERT encoder with random weights."""
    leaves, tree = jax.tree.flatten(MiniLM(BERT))
    random = [0.1 * RNG.standard_normal(leaf.shape, np.float32) for leaf in leaves]
    model: MiniLM = jax.tree.unflatten(tree, random)
    return model


CASES = {
    "vit": Case(lambda: vit.build(VIT), [IMAGES], 6 * VIT.depth + 1),
    "gpt2": Case(lambda: gpt2.build(GPT2), [TOKENS], 4 * GPT2.depth, tied=1),
    "bert": Case(bert, [TOKENS, MASK, 0 * MASK], 6 * BERT.num_hidden_layers),
}


def converted(case: Case, opset: int) -> onnx.ModelProto:
    return to_onnx(case.build(), list(case.arrays), opset=opset)


def run(model: onnx.ModelProto, arrays: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [each.name for each in session.get_inputs()]
    return [np.asarray(r) for r in session.run(None, dict(zip(names, arrays, strict=True)))]


def distance(model: onnx.ModelProto, other: onnx.ModelProto, case: Case) -> float:
    """Return the largest difference of the models' results, relative to the results' length."""
    pairs = zip(run(model, case.arrays), run(other, case.arrays), strict=True)
    return max(float(np.linalg.norm(a - b) / np.linalg.norm(a)) for a, b in pairs)


def count(model: onnx.ModelProto, op_type: str) -> int:
    return sum(node.op_type == op_type for node in model.graph.node)


def in_four_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    quantizer = MatMulNBitsQuantizer(copy, block_size=16, is_symmetric=True)
    quantizer.process()
    quantised: onnx.ModelProto = quantizer.model.model
    return quantised


@pytest.mark.parametrize("opset", [22, 23])
@pytest.mark.parametrize("name", CASES)
def test_quantize_dynamic(name: str, opset: int, tmp_path: Path) -> None:
    case = CASES[name]
    model = converted(case, opset)
    onnx.save(model, tmp_path / "model.onnx")
    # quantize_dynamic takes the Attention of operator set 23 for the one of com.microsoft.
    kinds = None if opset < 23 else ["MatMul"]
    quantize_dynamic(
        tmp_path / "model.onnx",
        tmp_path / "int8.onnx",
        op_types_to_quantize=kinds,
        reduce_range=True,
        extra_options={"MatMulConstBOnly": True},
    )
    quantised = onnx.load(tmp_path / "int8.onnx")
    assert count(quantised, "MatMulInteger") == case.layers + case.tied
    assert distance(model, quantised, case) < 0.06


@pytest.mark.parametrize("name", CASES)
def test_matmul_nbits(name: str) -> None:
    case = CASES[name]
    model = converted(case, 23)
    quantised = in_four_bits(model)
    assert count(quantised, "MatMulNBits") == case.layers
    assert distance(model, quantised, case) < 0.2


def test_weights_by_reference_are_found_once_gemm_is_replaced(tmp_path: Path) -> None:
    case = CASES["bert"]
    model = bert()
    structs = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), model)
    parameters, data = {}, b""
    for keys, array in jax.tree_util.tree_leaves_with_path(model):
        name = jax.tree_util.keystr(keys, simple=True, separator=".")
        parameters[name] = ir.ExternalTensor(
            "weights",
            len(data),
            array.nbytes,
            ir.DataType.FLOAT,
            shape=ir.Shape(array.shape),
            name=name,
            base_dir=tmp_path,
        )
        data += array.tobytes()
    (tmp_path / "weights").write_bytes(data)
    path = tmp_path / "model.onnx"
    to_onnx(structs, list(case.arrays), parameters=parameters, return_mode="file", output_path=path)
    by_reference = onnx.load(path)
    assert count(by_reference, "Gemm") == case.layers
    assert count(in_four_bits(by_reference), "MatMulNBits") == 0
    replaced = ONNXModel(onnx.load(path))
    replaced.replace_gemm_with_matmul()
    quantised = in_four_bits(replaced.model)
    assert count(quantised, "MatMulNBits") == case.layers
    assert distance(by_reference, quantised, case) < 0.2
