"""Runs the command line and the build's processes as their users do, on made-up checkpoints."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

REPOSITORY = Path(__file__).parents[1]
FIXTURES = REPOSITORY / "weights" / "fixtures"


def run(
    arguments: Sequence[str | Path],
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """`python ARGUMENTS` in `cwd`, in a bare environment; `before` runs in the child."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={"PATH": os.defpath, "PYTHONPATH": str(REPOSITORY), **(environment or {})},
        preexec_fn=before,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def copy_fixture(name: str, folder: Path) -> Path:
    """A copy of a fixture's checkpoint that a test may damage."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in (FIXTURES / name).iterdir():
        if file.suffix in (".json", ".safetensors"):
            shutil.copyfile(file, folder / file.name)
    return folder


def change_tensors(folder: Path, changes: Mapping[str, np.ndarray | None]) -> None:
    """Replaces, adds or (None) removes tensors of `model.safetensors`."""
    file = folder / "model.safetensors"
    tensors = {**load_file(file), **changes}
    save_file({name: value for name, value in tensors.items() if value is not None}, file)


def change_config(folder: Path, changes: Mapping[str, Any]) -> None:
    """Replaces, adds or (None) removes keys of `config.json`."""
    file = folder / "config.json"
    config = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def export_request(
    folder: Path, family: str, options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the request that the build would send for weights at `folder` below the sandbox."""
    files = [
        {"name": file.name, "sha256": "0" * 64, "size": file.stat().st_size}
        for file in sorted(folder.iterdir())
    ]
    weights = {
        "target": "weights:made_up",
        "licence": "MIT",
        "source": "made up",
        "files": files,
        "folder": folder.name,
    }
    return {
        "version": 1,
        "action": "export",
        "target": f"exporters:{family}",
        "exporter": f"exporters.families.{family}.export:export",
        "options": dict(options or {}),
        "opset": 23,
        "weights": [weights],
        "output": "out/model.onnx",
    }
