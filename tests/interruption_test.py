"""A write that Ctrl-C or the disk interrupts leaves no files."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest

from tests.commands import copy_fixture, run

# The signal arrives when the bytes of the artifact (1) or of the manifest (2) are written, before
# either file gets its name.
_INTERRUPTED = """
import os, signal
fsync, countdown = os.fsync, {count}
def interrupted(descriptor):
    global countdown
    countdown -= 1
    fsync(descriptor)
    if not countdown:
        os.kill(os.getpid(), signal.SIGINT)
os.fsync = interrupted
from exporters.cli.main import cli
cli()
"""


@pytest.mark.parametrize("count", [1, 2, 3])
def test_ctrl_c(tmp_path: Path, count: int) -> None:
    folder = copy_fixture("minilm_tiny", tmp_path / "weights")
    out = tmp_path / "out"
    out.mkdir()
    program = _INTERRUPTED.format(count=count)
    done = run(["-c", program, "export", "minilm", folder, "-o", out / "m.onnx"], tmp_path)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "Aborted" in done.stderr
    assert not list(out.iterdir())


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_other_signals(tmp_path: Path, name: str) -> None:
    folder = copy_fixture("minilm_tiny", tmp_path / "weights")
    out = tmp_path / "out"
    out.mkdir()
    program = _INTERRUPTED.replace("SIGINT", name).format(count=1)
    program = program.replace(
        "from exporters.cli.main import cli\ncli()",
        "import runpy; runpy.run_module('exporters', run_name='__main__')",
    )

    def heed() -> None:
        signal.signal(getattr(signal, name), signal.SIG_DFL)  # nohup may have run the tests

    arguments: list[str | Path] = ["-c", program, "export", "minilm", folder, "-o", out / "m.onnx"]
    done = run(arguments, tmp_path, before=heed)
    assert done.returncode == 128 + getattr(signal, name)
    assert "Traceback" not in done.stderr
    assert not list(out.iterdir())


def test_the_next_run_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    folder = copy_fixture("minilm_tiny", tmp_path / "weights")
    out = tmp_path / "out"
    out.mkdir()
    program = _INTERRUPTED.replace("SIGINT", "SIGKILL").format(count=1)
    arguments: list[str | Path] = ["export", "minilm", folder, "-o", out / "m.onnx"]
    assert run(["-c", program, *arguments], tmp_path).returncode == -signal.SIGKILL
    assert len(list(out.iterdir())) == 1
    assert run(["-m", "exporters", *arguments], tmp_path).returncode == 0
    assert sorted(file.name for file in out.iterdir()) == ["m.manifest.json", "m.onnx"]


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    folder = copy_fixture("minilm_tiny", tmp_path / "weights")
    out = tmp_path / "out"
    out.mkdir()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    command: list[str | Path] = [
        "-m",
        "exporters",
        "export",
        "minilm",
        folder,
        "-o",
        out / "m.onnx",
    ]
    done = run(command, tmp_path, {"PYTHONDONTWRITEBYTECODE": "1"}, before=limit)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: minilm: cannot write {out / 'm.onnx'}: File too large.")
    assert "Traceback" not in done.stderr
    assert not list(out.iterdir())


def test_an_older_artifact_survives(tmp_path: Path) -> None:
    folder = copy_fixture("minilm_tiny", tmp_path / "weights")
    artifact = tmp_path / "m.onnx"
    command: list[str | Path] = ["-m", "exporters", "export", "minilm", folder, "-o", artifact]
    assert run(command, tmp_path).returncode == 0
    before = artifact.read_bytes()
    program = _INTERRUPTED.format(count=1)
    assert run(["-c", program, *command[2:], "--opset", "22"], tmp_path).returncode != 0
    assert artifact.read_bytes() == before
