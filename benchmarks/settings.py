"""Settings that all figures share: the folder, the number of runs, the yardsticks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks import yardsticks


@dataclass(frozen=True)
class Settings:
    """The settings of a measurement.

    Attributes:
        work: the folder for checkpoints and artifacts, which take about 10 GB.
        repeat: the number of runs of each process.
        runs: the number of runs of each model.
        yardsticks: the folder of the public exporters' environments, or None to leave these
            exporters out.
    """

    work: Path
    repeat: int
    runs: int
    yardsticks: Path | None

    def folder(self, name: str) -> Path:
        """Return a folder below the work folder, and make it if it is missing."""
        folder = self.work / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def yardstick(self, name: str) -> Path | None:
        """Return the interpreter of a public exporter's environment, or None without one."""
        return None if self.yardsticks is None else yardsticks.python(name, self.yardsticks)
