"""The latency of every model's artifact, against the better of the public exporters' artifacts."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Mapping, Sequence

from benchmarks.architectures import ARCHITECTURES
from benchmarks.comparison import OURS, Contender, run_in_turns
from benchmarks.figures.models import of_architecture
from benchmarks.processes import BenchmarkError
from benchmarks.report import heading, spread, table, verdict
from benchmarks.settings import Settings

_AGAIN = f"{OURS}, again"
_LEAST_NOISE = 0.02
"""What the medians of 20 runs differ by on an idle machine."""


def run_figure(settings: Settings) -> None:
    """Print one table of all models. Each artifact is made once, and run in turns with the others.

    The noise is that of our artifact against itself: it takes part twice.
    """
    heading("Latency of all models")
    rows, slower = [], []
    for name, architecture in ARCHITECTURES.items():
        contenders = _exported(settings, name)
        ours = contenders[OURS]
        everyone = {OURS: ours, **contenders, _AGAIN: ours}
        for threads in (1, 2):
            found = run_in_turns(settings, everyone, architecture.feeds, (), threads)
            for exporter, why in found["failed"].items():
                print(f"ONNX Runtime refuses the artifact of {exporter} for {name}: {why}\n")
            row, ratio, noise = _row(found["wall"])
            rows.append((architecture.title.split(",")[0], threads, *row))
            if ratio > 1 + noise:
                slower.append(f"{name} on {threads} threads ({ratio:.2f})")
        print(f"{name}: load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    columns = ("model", "threads", "ours, ms", "public JAX, ms", "torch, ms", "ratio", "noise")
    table(columns, rows)
    verdict(f"slower than noise explains: {', '.join(slower) or 'none'}", not slower)


def _exported(settings: Settings, name: str) -> Mapping[str, Contender]:
    """Return the exporters that can convert the model, after they did; ours has to."""
    made = {}
    for exporter, contender in of_architecture(settings, name).items():
        try:
            contender.export()
        except BenchmarkError as error:
            if exporter == OURS:
                raise
            print(f"{exporter} fails for {name}: {str(error).splitlines()[-1]}\n")
            continue
        made[exporter] = contender
    return made


def _row(wall: Mapping[str, Sequence[float]]) -> tuple[tuple[str, ...], float, float]:
    """Return the cells of a row, the ratio of the medians, and the noise of that ratio.

    Args:
        wall: the milliseconds of each run, by exporter.
    """
    medians = {name: statistics.median(ms) for name, ms in wall.items()}
    publics = [next((n for n in wall if n.startswith(p)), None) for p in ("public", "torch")]
    others = [medians[name] for name in publics if name is not None]
    noise = max(abs(medians[_AGAIN] / medians[OURS] - 1), _LEAST_NOISE)
    ratio = medians[OURS] / min(others) if others else 0.0
    cells = ["" if name is None else spread(wall[name]) for name in (OURS, *publics)]
    return (*cells, f"{ratio:.2f}" if others else "", f"{noise:.2f}"), ratio, noise
