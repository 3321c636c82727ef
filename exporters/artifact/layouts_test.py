"""Where layouts place the files of checkpoints, and which side files they demand."""

from __future__ import annotations

import pytest

from exporters.artifact.layouts import LAYOUTS

MINILM = [
    "1_Pooling/config.json",
    "config.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
]
SHARDS = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
INDEX = "model.safetensors.index.json"


@pytest.mark.parametrize(
    ("layout", "artifact", "weights"),
    [
        ("flat", "m.onnx", "model.safetensors"),
        ("hub", "onnx/model.onnx", "onnx/model.safetensors"),
        ("hub-onnx-data", "onnx/model.onnx", "onnx/model.onnx_data"),
        ("hub-single-file", "onnx/model.onnx", None),
        ("single-file", "m.onnx", None),
    ],
)
def test_places(layout: str, artifact: str, weights: str | None) -> None:
    chosen = LAYOUTS[layout]
    assert chosen.artifact("m") == artifact
    places = chosen.places(artifact.rpartition("/")[2], MINILM)
    assert places.pop("model.safetensors", None) == weights
    assert places == {name: name for name in MINILM if name != "model.safetensors"}


@pytest.mark.parametrize(
    ("layout", "places"),
    [
        ("hub", {name: f"onnx/{name}" for name in (*SHARDS, INDEX)}),
        (
            "hub-onnx-data",
            {SHARDS[0]: "onnx/model.onnx_data", SHARDS[1]: "onnx/model.onnx_data_1"},
        ),
        ("single-file", {}),
    ],
)
def test_places_of_shards(layout: str, places: dict[str, str]) -> None:
    found = LAYOUTS[layout].places("model.onnx", [INDEX, *reversed(SHARDS), "config.json"])
    assert found == {**places, "config.json": "config.json"}


@pytest.mark.parametrize(
    ("without", "inputs", "missing"),
    [
        ([], ["input_ids"], []),
        (["tokenizer.json"], ["input_ids", "attention_mask"], ["tokenizer.json"]),
        (["tokenizer.json", "1_Pooling/config.json"], ["x"], ["1_Pooling/config.json"]),
        (["config.json"], ["pixel_values"], ["config.json", "preprocessor_config.json"]),
    ],
)
def test_missing_side_files(without: list[str], inputs: list[str], missing: list[str]) -> None:
    files = [name for name in MINILM if name not in without]
    assert LAYOUTS["hub"].missing(files, inputs) == missing
    assert LAYOUTS["flat"].missing(files, inputs) == []
