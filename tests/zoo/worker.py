"""Judge the models of a library in the environment that this process runs in.

    python -m tests.zoo.worker LIBRARY JOURNAL MODEL...

The journal has a line for each stage of each model, so that the parent can tell where the process
ended. ``tests/zoo/processes.py`` starts the workers, and reads the journal.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import warnings
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jax2onnx import to_onnx
from tests.reasons import one_line
from tests.zoo.catalogue import LIBRARIES, Library
from tests.zoo.judge import Attempt
from tests.zoo.model import Model
from tests.zoo.outcome import LIMIT, TOO_LONG, Stage


def models(library: Library) -> list[Model]:
    """Return the models of a library, which has to be installed."""
    module = importlib.import_module(f"tests.zoo.libraries.{library.module}")
    declared: list[Model] = module.MODELS
    return declared


def main(name: str, journal: Path, chosen: list[str]) -> None:
    """Judge the models of a library: those that ``chosen`` names, or all if it is empty."""
    warnings.simplefilter("ignore")  # The libraries warn.
    jax.config.update("jax_disable_most_optimizations", True)  # Compilation takes most of the time.
    library = next(each for each in LIBRARIES if each.name == name)
    declared = models(library)
    versions = {each: metadata.version(each) for each in (library.distribution, "jax")}
    _add(journal, {"versions": versions, "models": [model.name for model in declared]})
    to_onnx(jnp.sin, [(3,)])  # Modules that the converter imports late are not part of the times.
    pool = ThreadPoolExecutor(1)
    for model in declared:
        if not chosen or model.name in chosen:
            judge(model, journal, pool)


def judge(model: Model, journal: Path, pool: Executor) -> None:
    """Judge a model, and end the process if that takes too long."""

    def entered(stage: Stage) -> None:
        _add(journal, {"model": model.name, "stage": stage})

    attempt = Attempt(model, to_onnx, entered)
    try:
        # The error is read from a future, since a library may raise any.
        error = pool.submit(attempt.run).exception(LIMIT)
    except TimeoutError:
        os._exit(TOO_LONG)
    reason = "" if error is None else one_line(error)
    _add(journal, {"outcome": asdict(attempt.outcome(reason))})


def _add(journal: Path, line: dict[str, Any]) -> None:
    with journal.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
    sys.stdout.flush()
    os._exit(0)  # Threads of a library may keep the process.
