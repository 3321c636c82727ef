"""Judge cases in several processes."""

from __future__ import annotations

import functools
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.primitives.cases import Case, groups
from tests.primitives.judge import Stage, Verdict, judge


def verdicts(names: Sequence[str], processes: int) -> Iterator[tuple[str, Verdict]]:
    """Yield the names of cases and the verdicts on them."""
    context = multiprocessing.get_context("spawn")  # JAX has threads, which a fork loses.
    with ProcessPoolExecutor(processes, context) as pool:
        yield from pool.map(_judge, names, chunksize=8)


def _judge(name: str) -> tuple[str, Verdict]:
    return name, judge(_cases()[name])


@functools.cache
def _cases() -> dict[str, Case]:
    return {case.name: case for cases in groups().values() for case in cases}


class Journal:
    """Verdicts by the names of cases, and the file that stores them, if any."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.known: dict[str, Verdict] = {}
        if path is not None and path.exists():
            for line in path.read_text("utf-8").splitlines():
                name, stage, reason = json.loads(line)
                self.known[name] = Verdict(Stage(stage), reason)

    def add(self, name: str, verdict: Verdict) -> None:
        """Add a verdict."""
        self.known[name] = verdict
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([name, verdict.stage.value, verdict.reason]) + "\n")
