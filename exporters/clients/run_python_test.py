"""A client test fails when it should: on wrong numbers, and when nothing was compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporters.clients import run_python
from exporters.drivers import cases
from exporters.drivers.request import Cases, File, Weights
from weights.files.pins import pin_folder

TINY = Path(__file__).parents[2] / "weights" / "fixtures" / "minilm_tiny"


def request(folder: Path) -> Path:
    """Return a request for a client that is called ``fake``, and write its cases."""
    expected = {"dtype": "float32", "shape": [2], "values": [1.0, 2.0]}
    document = {"cases": [{"name": "c", "texts": [], "inputs": {}, "outputs": {"y": expected}}]}
    (folder / "cases.json").write_text(json.dumps(document))
    wanted = {"client": "fake", "folder": str(folder), "artifact": "m.onnx", "atol": 0.1, "rtol": 0}
    file = folder / "client.json"
    file.write_text(json.dumps({**wanted, "cases": str(folder / "cases.json")}))
    return file


def client(outputs: dict[str, Any]) -> Callable[[Path, Path], Callable[[Any], Any]]:
    return lambda folder, artifact: lambda case: outputs


def test_outputs_within_the_tolerance_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = {"y": np.array([1.05, 2], np.float32), "z": np.zeros(3)}
    monkeypatch.setattr(run_python, "CLIENTS", {"fake": client(outputs)})
    assert run_python.main([str(request(tmp_path))]) == 0
    assert capsys.readouterr().out == "  c: ok, y within 0.05\n"


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"y": [1.05, 2.2]}, "c: y: 1 of 2 elements differ, by up to 0.2"),
        ({"y": [1, np.nan]}, "c: y: 1 of 2 elements differ"),
        ({"y": [1, 2, 3]}, r"c: y: the shape is \(3,\) instead of \(2,\)"),
        ({"z": [1, 2]}, "nothing was compared"),
    ],
)
def test_others_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: dict[str, Any], message: str
) -> None:
    arrays = {name: np.array(values, np.float32) for name, values in outputs.items()}
    monkeypatch.setattr(run_python, "CLIENTS", {"fake": client(arrays)})
    with pytest.raises(SystemExit, match=message):
        run_python.main([str(request(tmp_path))])


def test_cases_survive_as_json(tmp_path: Path) -> None:
    names = [file.name for file in TINY.iterdir() if file.suffix in (".json", ".safetensors")]
    pins = pin_folder(TINY, names).files
    files = tuple(File(pin.name, pin.sha256, pin.size) for pin in pins)
    weights = Weights("weights:tiny", "MIT", "made up", files, folder=str(TINY))
    family = "exporters.families.minilm"
    reference, exporter = f"{family}.parity:against_jax", f"{family}.export:export"
    output = tmp_path / "cases.json"
    cases.write(Cases("e:m", reference, exporter, {}, weights, None, str(output)))
    first, second = json.loads(output.read_text())["cases"]
    assert (first["name"], second["name"]) == ("1 x 5 tokens", "3 x 16 tokens")
    inputs = run_python.arrays(second["inputs"])
    assert {name: (each.dtype.name, each.shape) for name, each in inputs.items()} == dict.fromkeys(
        ("input_ids", "attention_mask", "token_type_ids"), ("int64", (3, 16))
    )
    vectors = run_python.arrays(second["outputs"])["sentence_embedding"]
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
