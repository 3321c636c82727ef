"""Settings that all figures share: the folder, the number of runs, the yardsticks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks import yardsticks


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Attributes:
        work: folder for checkpoints and artifacts; about 3 GB.
        repeat: how often each process is run.
        runs: how often each model is run.
        yardsticks: folder of the public exporters' environments; None to do without.
    """

    work: Path
    repeat: int
    runs: int
    yardsticks: Path | None

    def folder(self, name: str) -> Path:
        """A folder of the work folder, made when it is not there."""
        folder = self.work / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def yardstick(self, name: str) -> Path | None:
        """The interpreter of a public exporter's environment."""
        return None if self.yardsticks is None else yardsticks.python(name, self.yardsticks)
