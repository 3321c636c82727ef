"""Measure a second ``./pants run exporters:gpt_oss``, and check that nothing is exported."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from benchmarks.processes import REPOSITORY, BenchmarkError, Finished, run
from benchmarks.report import heading, spread, table, verdict
from benchmarks.settings import Settings

_ALLOWED = 2.0
_RAN = re.compile(r"local_execution_requests: (\d+)")


def run_figure(settings: Settings) -> None:
    """Print the figure of a clone of the last commit, with its own daemon and the user's cache."""
    heading("./pants run exporters:gpt_oss, a second time")
    clone = settings.folder("clone")
    shutil.rmtree(clone)
    subprocess.run(["git", "clone", "--quiet", REPOSITORY, clone], check=True)
    try:
        first = _build(clone)
        again = [_build(clone) for _ in range(settings.repeat)]
    finally:
        _stop_daemon(clone)
    rows = [
        ("first", f"{first.wall:.2f}", _processes(first)),
        ("again", spread(each.wall for each in again), max(map(_processes, again))),
    ]
    table(("run", "wall s", "processes run"), rows)
    least = min(each.wall for each in again)
    verdict(f"{least:.2f} s, {_ALLOWED} allowed", least < _ALLOWED)
    verdict("no export process runs", max(map(_processes, again)) == 0)


def _build(clone: Path) -> Finished:
    environment = {
        n: v for n, v in os.environ.items() if not n.startswith(("PANTS", "PEX", "PYTHON"))
    }
    command = "./pants --no-dynamic-ui --stats-log run exporters:gpt_oss 2>&1"
    return run(["/bin/sh", "-c", command], clone, environment)


def _processes(finished: Finished) -> int:
    """Return the number of processes that Pants ran instead of taking them from a cache."""
    found = _RAN.search(finished.output)
    if found is None:
        raise BenchmarkError(f"Pants printed no counters:\n{finished.output[-2000:]}")
    return int(found[1])


def _stop_daemon(clone: Path) -> None:
    for file in clone.glob(".pids/*/pantsd/pid"):
        os.kill(int(file.read_text()), signal.SIGTERM)
