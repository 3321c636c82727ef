from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exporters.drivers import spec
from exporters.errors import ExportError
from weights import WeightsError
from weights.store.pins import Pin

WEIGHTS = {
    "target": "weights:w",
    "licence": "MIT",
    "source": "made up",
    "files": [{"name": "model.safetensors", "sha256": "0" * 64, "size": 3}],
    "folder": "__weights/0",
}
EXPORT = {
    "version": 1,
    "action": "export",
    "target": "exporters:m",
    "exporter": "a:b",
    "options": {"batch": "B"},
    "opset": 23,
    "weights": [WEIGHTS],
    "output": "__out/m.onnx",
}


def read(folder: Path, document: Any) -> spec.Spec:
    file = folder / "spec.json"
    file.write_text(json.dumps(document))
    return spec.read(file, ("export", "parity"))


def test_a_request_is_read(tmp_path: Path) -> None:
    request = read(tmp_path, EXPORT)
    assert (request.action, request.target, request["opset"]) == ("export", "exporters:m", 23)
    assert request.path("output") == Path("__out/m.onnx")
    assert request.weights == spec.WeightsEntry(
        "weights:w",
        "MIT",
        "made up",
        (Pin("model.safetensors", "0" * 64, 3),),
        Path("__weights/0"),
        None,
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "version 2 and action 'export' are not understood"),
        ({"action": "fetch"}, "export or parity are"),
        ({"opset": "23"}, "opset has the wrong type: '23'"),
        ({"opset": None}, "opset has the wrong type: None"),
        ({"extra": 1}, "extra is unknown"),
        ({"action": "parity"}, "opset is unknown; output is unknown; atol is missing"),
    ],
)
def test_a_malformed_request_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        read(tmp_path, {**EXPORT, **changes})


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([], "give one weights target, not 0"),
        ([WEIGHTS, WEIGHTS], "give one weights target, not 2"),
        ([{**WEIGHTS, "store": "s"}], "exactly one of folder and store"),
        ([{k: v for k, v in WEIGHTS.items() if k != "folder"}], "exactly one of folder and store"),
        ([{**WEIGHTS, "licence": 3}], "licence has the wrong type"),
        ([{**WEIGHTS, "files": [{"name": "x"}]}], "sha256 is missing"),
        (["weights:w"], "expected an object"),
    ],
)
def test_malformed_weights_are_refused(tmp_path: Path, weights: Any, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        _ = read(tmp_path, {**EXPORT, "weights": weights}).weights


def test_what_is_no_request(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text("[]")
    with pytest.raises(WeightsError, match=r"spec\.json"):
        spec.read(tmp_path / "spec.json", ("export",))
