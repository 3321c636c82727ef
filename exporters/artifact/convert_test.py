"""An artifact and its manifest appear together, or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from exporters.artifact import convert

# The process ends when it is about to rename a file for the given time.
_KILLED = """
import os, sys
from pathlib import Path
from exporters.artifact.convert import _replace_both
countdown, staged, output = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
replace = Path.replace
def killing(*arguments):
    global countdown
    countdown -= 1
    if not countdown:
        os._exit(9)
    return replace(*arguments)
Path.replace = killing
_replace_both(staged, output)
"""


def write(folder: Path, content: str) -> Path:
    folder.mkdir()
    artifact = folder / "m.onnx"
    artifact.write_text(content)
    made = {"sha256": sha256(content.encode()).hexdigest()}
    convert.manifest_path(artifact).write_text(json.dumps(made))
    return artifact


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_manifest_belongs_to_its_artifact_whenever_the_process_is_killed(
    tmp_path: Path, count: int
) -> None:
    output = write(tmp_path / "out", "old")
    staged = write(tmp_path / "staged", "new")
    command = [sys.executable, "-c", _KILLED, str(count), str(staged), str(output)]
    assert subprocess.run(command, check=False).returncode == (9 if count < 4 else 0)
    manifest = convert.manifest_path(output)
    if manifest.exists():
        digest = sha256(output.read_bytes()).hexdigest()
        assert json.loads(manifest.read_text())["sha256"] == digest
    assert output.read_text() == ("old" if count < 3 else "new")


def test_the_old_manifest_returns_if_the_artifact_cannot_be_moved(tmp_path: Path) -> None:
    output = write(tmp_path / "out", "old")
    staged = write(tmp_path / "staged", "new")
    staged.unlink()
    with pytest.raises(FileNotFoundError):
        convert._replace_both(staged, output)
    assert convert.manifest_path(output).exists()
