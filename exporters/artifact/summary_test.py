from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exporters.artifact import summary

MANIFEST: dict[str, Any] = {
    "manifest": 1,
    "artifact": {"name": "m.onnx", "sha256": "ab" * 32, "size": 41_234},
    "inputs": [
        {"name": "tokens", "dtype": "int64", "shape": ["B", "T"]},
        {"name": "mask", "dtype": "bool", "shape": None},
    ],
    "outputs": [{"name": "logits", "dtype": "float32", "shape": ["B", "T", 201088]}],
    "opset": {"": 23, "com.example": 1},
    "operators": {
        "total": 30,
        "by_type": {"MatMul": 12, "Add": 9, "Mul": 5, "Cast": 2, "Exp": 1, "Sin": 1},
    },
    "functions": 2,
    "parameters": {
        "tensors": 459,
        "elements": 20_914_757_184,
        "bytes": 13_761_264_768,
        "dtypes": ["bfloat16", "uint8"],
        "files": ["a.safetensors"],
    },
    "weights": [{"target": "weights:x", "licence": "Apache-2.0", "source": "here", "files": []}],
}


def test_the_summary_of_an_artifact() -> None:
    assert summary.render(MANIFEST, Path("dist/m.onnx"), cached=True) == (
        f"""dist/m.onnx
  sha256      {"ab" * 32}
  size        41.2 kB, from the cache
  inputs      tokens  int64 [B, T]
              mask  bool [?]
  outputs     logits  float32 [B, T, 201088]
  operators   30 in 2 functions and the graph: MatMul 12, Add 9, Mul 5, Cast 2, Exp 1, ...
  opset       23, com.example 1
  parameters  20.9 G in 459 tensors (bfloat16, uint8), 13.8 GB
  weights     a.safetensors expected beside it
  licence     Apache-2.0
  source      here
"""
    )


def test_weights_beside_the_artifact_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").touch()
    assert "weights     a.safetensors beside it" in summary.render(MANIFEST, tmp_path / "m.onnx")


def test_weights_elsewhere_are_shown_with_the_option_that_loads_them() -> None:
    text = summary.render(MANIFEST, Path("m.onnx"), weights_folder=Path("/w"), cached=False)
    assert "41.2 kB, built now" in text
    assert "a.safetensors in /w/" in text
    code = "\n".join(line.strip() for line in text.splitlines())
    assert f'"{summary.ORT_FOLDER_OPTION}",\n"/w")' in code


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (90_868_376, "90.9 MB"),
        (4_294_967_296, "4.29 GB"),
        (5_000_000_000_000_000, "5e+03 TB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert summary.size(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (9_999, "9,999"), (10_000, "10 k"), (21_601_152, "21.6 M")]
)
def test_quantities(count: int, text: str) -> None:
    assert summary.quantity(count) == text
