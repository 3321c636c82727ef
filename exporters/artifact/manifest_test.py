from __future__ import annotations

import hashlib
import json
from pathlib import Path

import onnx_ir as ir

from exporters.artifact.manifest import Weights, describe, manifest, to_json
from weights.files.pins import Pin


def model(folder: Path) -> ir.Model:
    """Return a model of ``y = gelu(f(f(x)) + w)``, where ``f`` is a function of two Adds."""
    (folder / "w.safetensors").write_bytes(bytes(20))
    weight = ir.Value(
        name="w",
        const_value=ir.ExternalTensor(
            "w.safetensors",
            8,
            12,
            ir.DataType.FLOAT,
            shape=ir.Shape([3]),
            name="w",
            base_dir=folder,
        ),
    )
    x = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape(["B", 3]))
    a = ir.Value(name="a")
    inner = ir.node("Add", [a, a])
    inner2 = ir.node("Add", [inner.outputs[0], a])
    body = ir.Graph([a], [inner2.outputs[0]], nodes=[inner, inner2], opset_imports={"": 23})
    function = ir.Function("here", "f", graph=body, attributes=[])
    first = ir.node("f", [x], domain="here")
    second = ir.node("f", [first.outputs[0]], domain="here")
    last = ir.node(
        "Gelu", [ir.node("Add", [second.outputs[0], weight]).outputs[0]], domain="com.microsoft"
    )
    last.outputs[0].name = "y"
    last.outputs[0].type = ir.TensorType(ir.DataType.BFLOAT16)
    graph = ir.Graph(
        [x],
        [last.outputs[0]],
        nodes=[first, second, last.inputs[0].producer(), last],  # type: ignore[union-attr, list-item]
        initializers=[weight],
        opset_imports={"here": 1, "": 23},
    )
    return ir.Model(graph, ir_version=11, producer_name="maker", functions=[function])


def test_describe(tmp_path: Path) -> None:
    assert describe(model(tmp_path)) == {
        "inputs": [{"name": "x", "dtype": "float32", "shape": ["B", 3]}],
        "outputs": [{"name": "y", "dtype": "bfloat16", "shape": None}],
        "opset": {"": 23, "here": 1},
        "operators": {"total": 4, "by_type": {"Add": 3, "com.microsoft.Gelu": 1}},
        "functions": 1,
        "parameters": {
            "tensors": 1,
            "elements": 3,
            "bytes": 12,
            "dtypes": ["float32"],
            "files": ["w.safetensors"],
        },
        "metadata": {},
    }


def test_manifest_holds_digests_and_no_paths(tmp_path: Path) -> None:
    artifact = tmp_path / "m.onnx"
    artifact.write_bytes(b"model")
    document = manifest(
        artifact,
        model(tmp_path),
        [Weights("weights:w", "MIT", "me", [Pin("w.safetensors", "00" * 32, 20)])],
        target="exporters:m",
        layout="flat",
        files={"model.safetensors": "model.safetensors"},
        exporter="a.b:c",
        options={"b": 1, "a": [2]},
    )
    assert document["artifact"] == {
        "name": "m.onnx",
        "sha256": hashlib.sha256(b"model").hexdigest(),
        "size": 5,
    }
    assert document["weights"][0]["files"][0]["name"] == "w.safetensors"
    assert list(document["options"]) == ["a", "b"]
    assert {"maker", "onnx-ir", "numpy"} <= document["versions"].keys()
    text = to_json(document)
    assert json.loads(text) == document
    assert str(tmp_path) not in text


def test_json_is_compact_and_lossless() -> None:
    document = {"shape": ["B", 3], "odd": ["[\n 1,\n 2 ]", "{"], "deep": [[1, 2], []], "none": []}
    text = to_json(document)
    assert json.loads(text) == document
    assert '"shape": ["B", 3],' in text
    assert "    [1, 2]," in text
