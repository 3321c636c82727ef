"""Run workers in the environments of the zoo, and collect the outcomes."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.zoo.catalogue import Group, Library
from tests.zoo.outcome import LIMIT, TOO_LONG, Exporter, Outcome, Outcomes
from tools.matrix.columns import ROOT, made

_START = {
    "ours": "import sys; sys.path.insert(0, sys.argv.pop(1)); import jax2onnx; ",
    "public": "import sys, jax2onnx; sys.path.insert(0, sys.argv.pop(1)); ",
}
"""The start of the worker: which of the two packages ``jax2onnx`` is imported."""

_WORKER = "import runpy; runpy.run_module('tests.zoo.worker', run_name='__main__')"
_SETTINGS = {
    "JAX_PLATFORMS": "cpu",
    "KERAS_BACKEND": "jax",
    "HF_HUB_OFFLINE": "1",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",  # Next to JAX_COMPILATION_CACHE_DIR.
    "PYTHONHASHSEED": "0",
    "PYTHONPATH": "",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


class WorkerError(Exception):
    """A worker judged no model."""


def environment(group: Group, exporter: Exporter, cache: Path) -> Path:
    """Return the Python of a group's environment for an exporter.

    Raises:
        ColumnError: The environment cannot be made.
    """
    return made(cache / f"{group.name}-{exporter}", group.python, group.packages(exporter))


def judged(
    python: Path, library: Library, exporter: Exporter, chosen: Sequence[str] = ()
) -> tuple[Outcomes, list[str]]:
    """Judge the models of a library with an exporter.

    A model that ends the process has failed, and another process judges the models after it.

    Args:
        python: the interpreter of the environment.
        library: the library.
        exporter: the exporter.
        chosen: the names of the models; all if there are none.

    Returns:
        The outcomes, and the names of all models that the library declares.

    Raises:
        WorkerError: The worker could not import the library, its models or the exporter.
    """
    found: dict[str, Outcome] = {}
    remaining = list(chosen)
    while True:
        lines, process = _run(python, library, exporter, remaining)
        if not lines:
            raise WorkerError(f"{library.name}, {exporter}: {_end(process)}")
        first, *later = lines
        for line in later:
            if "outcome" in line:
                found[line["outcome"]["model"]] = Outcome(**line["outcome"])
        last = later[-1] if later else {}
        if "stage" in last:
            found[last["model"]] = Outcome(last["model"], last["stage"], _end(process))
        remaining = [name for name in chosen or first["models"] if name not in found]
        if not remaining or not later:
            return Outcomes(first["versions"], tuple(found.values())), first["models"]


def _run(
    python: Path, library: Library, exporter: Exporter, chosen: Sequence[str]
) -> tuple[list[dict[str, Any]], subprocess.CompletedProcess[str]]:
    """Return the journal of a worker, and its process."""
    compiled = python.parents[1] / "compiled"  # Programs of JAX, for the next run.
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder, "journal")
        process = subprocess.run(
            [python, "-c", _START[exporter] + _WORKER, ROOT, library.name, journal, *chosen],
            cwd=folder,
            env={**os.environ, **_SETTINGS, "JAX_COMPILATION_CACHE_DIR": str(compiled)},
            check=False,
            capture_output=True,
            text=True,
        )
        lines = journal.read_text("utf-8").splitlines() if journal.exists() else []
    return [json.loads(line) for line in lines], process


def _end(process: subprocess.CompletedProcess[str]) -> str:
    """Return how a process ended: its error, or its status."""
    if process.returncode == TOO_LONG:
        return f"it took more than {LIMIT:.0f} s"
    lines = process.stderr.strip().splitlines()
    if process.returncode > 0 and lines:
        return lines[-1][:200]
    return f"the process ended with status {process.returncode}"
