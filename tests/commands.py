"""Helpers that run the command line and the drivers on checkpoints of the fixtures."""

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

from exporters.drivers.request import Export, File, Weights, to_json
from weights.files.pins import pin_folder

REPOSITORY = Path(__file__).parents[1]
FIXTURES = REPOSITORY / "weights" / "fixtures"


def run(
    arguments: Sequence[str | Path],
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run Python in an environment of its own and return the finished process.

    Args:
        arguments: the arguments of the interpreter.
        cwd: the working directory.
        environment: variables beside ``PATH`` and ``PYTHONPATH``.
        before: called in the child before Python starts.
    """
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
    """Copy the checkpoint of a fixture into a folder, where a test may damage it."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in (FIXTURES / name).iterdir():
        if file.suffix in (".json", ".safetensors"):
            shutil.copyfile(file, folder / file.name)
    return folder


def change_tensors(folder: Path, changes: Mapping[str, np.ndarray | None]) -> None:
    """Replace, add or (None) remove tensors of ``model.safetensors``."""
    file = folder / "model.safetensors"
    tensors = {**load_file(file), **changes}
    save_file({name: value for name, value in tensors.items() if value is not None}, file)


def change_config(folder: Path, changes: Mapping[str, Any]) -> None:
    """Replace, add or (None) remove keys of ``config.json``."""
    file = folder / "config.json"
    config = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def export_request(folder: Path, family: str, exporter: str | None = None) -> str:
    """Return the request that the build would send, as JSON.

    Args:
        folder: the folder of the checkpoint, directly below the sandbox.
        family: the name of the model family.
        exporter: another exporter than the family's.
    """
    names = sorted(file.name for file in folder.iterdir())
    files = tuple(File(pin.name, pin.sha256, pin.size) for pin in pin_folder(folder, names).files)
    return to_json(
        Export(
            target=f"exporters:{family}",
            exporter=exporter or f"exporters.families.{family}.export:export",
            options={},
            weights=Weights("weights:made_up", "MIT", "made up", files, folder=folder.name),
            opset=23,
            layout="flat",
            output="out/model.onnx",
        )
    )
