"""An export that reads an undeclared input fails, names the input, and leaves no files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.commands import export_request, run


def build(sandbox: Path, exporter: str) -> tuple[int, str]:
    """Export a model of ``tests.user_models``, and return the exit status and the message."""
    weights = sandbox / "weights"
    weights.mkdir(parents=True)
    save_file({"weight": np.ones(3, np.float32)}, weights / "model.safetensors")
    request = export_request(weights, "mine", f"tests.user_models:{exporter}")
    (sandbox / "spec.json").write_text(request)
    done = run(["-m", "exporters.drivers.build", "spec.json"], sandbox)
    return done.returncode, done.stderr


def test_an_exporter_without_undeclared_inputs_succeeds(tmp_path: Path) -> None:
    assert build(tmp_path, "good") == (0, "")
    assert (tmp_path / "out" / "model.onnx").is_file()


@pytest.mark.parametrize(
    ("exporter", "expected"),
    [
        ("reads_elsewhere", "exporters:mine opened /etc/hostname, which is not among its declared"),
        (
            "downloads",
            "exporters:mine used the network (urllib.Request: https://example.org",
        ),
    ],
)
def test_undeclared_inputs_are_refused(tmp_path: Path, exporter: str, expected: str) -> None:
    status, message = build(tmp_path, exporter)
    assert status == 1
    assert message.startswith(expected)
    assert message.count("\n") == 1
    assert not (tmp_path / "out").exists()
