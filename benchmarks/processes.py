"""Run child processes and measure their cost. Every figure comes from separate processes.

The machine may be busy, so the processes that are compared run in turns, and the median and the
minimum of several runs of each are kept.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

REPOSITORY = Path(__file__).parents[1]
JOBS = Path(__file__).parent / "jobs"

Key = TypeVar("Key")
Result = TypeVar("Result")


class BenchmarkError(Exception):
    """A measurement failed; the message says why."""


@dataclass(frozen=True)
class Finished:
    """A process that succeeded.

    Attributes:
        wall: seconds from its start to its end.
        cpu: seconds of user and system time of all its threads.
        peak: largest resident set, in bytes.
        output: the text that it wrote to stdout.
    """

    wall: float
    cpu: float
    peak: int
    output: str

    @property
    def result(self) -> dict[str, Any]:
        """The JSON object that is the last line of the output."""
        document: dict[str, Any] = json.loads(self.output.splitlines()[-1])
        return document


def run(
    command: Sequence[object],
    cwd: Path = REPOSITORY,
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Run a program in a minimal environment, in which JAX uses the CPU.

    Raises:
        BenchmarkError: The program failed.
    """
    bare = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    bare |= {"JAX_PLATFORMS": "cpu", "LC_ALL": "C.UTF-8", **(environment or {})}
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        done = subprocess.run(
            [sys.executable, "-I", "-S", JOBS / "measure.py", report, *map(str, command)],
            cwd=cwd,
            env=bare,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise BenchmarkError(
                f"{' '.join(map(str, command))} failed:\n{(done.stdout + done.stderr)[-4000:]}"
            )
        return Finished(**json.loads(report.read_text()), output=done.stdout)


def run_ours(
    arguments: Sequence[object],
    cwd: Path = REPOSITORY,
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Run this interpreter with this repository on its module path."""
    ours = {"PYTHONPATH": str(REPOSITORY), **(environment or {})}
    return run([sys.executable, *arguments], cwd, ours)


def in_turns(
    repeat: int, measurements: Mapping[Key, Callable[[], Result]]
) -> dict[Key, list[Result]]:
    """Make each measurement ``repeat`` times, in rounds of one of each."""
    results: dict[Key, list[Result]] = {key: [] for key in measurements}
    for _ in range(repeat):
        for key, measure in measurements.items():
            results[key].append(measure())
    return results


def values(runs: Iterable[Finished], key: str) -> list[float]:
    """Return the number under ``key`` in each run's result."""
    return [float(run.result[key]) for run in runs]
