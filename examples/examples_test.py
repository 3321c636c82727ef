"""Every example runs, and what it exports agrees with JAX."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import onnx
import pytest

from examples import cnn, mlp, physics, policy, sequential, transformer

EXAMPLES = [cnn, mlp, physics, policy, sequential, transformer]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda module: module.__name__)
def test_an_example_runs(
    example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example.main(tmp_path)
    said = capsys.readouterr().out
    models = sorted(tmp_path.glob("*.onnx"))
    assert models
    for path in models:
        onnx.checker.check_model(path, full_check=True)
        assert f"{path.name} agrees with JAX" in said


def test_every_example_is_run() -> None:
    names = {path.stem for path in Path(__file__).parent.glob("*.py")}
    run = {module.__name__.rpartition(".")[2] for module in EXAMPLES}
    assert names == run | {"__init__", "shared", "examples_test"}
