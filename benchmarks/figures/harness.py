"""Measure the conversion of the small functions in JAX's test harness."""

from __future__ import annotations

import statistics
from functools import partial

from benchmarks.comparison import OURS
from benchmarks.processes import JOBS, Finished, in_turns, run, run_ours
from benchmarks.report import heading, table, verdict
from benchmarks.settings import Settings

_EVERY, _ALLOWED = 20, 15.0


def run_figure(settings: Settings) -> None:
    """Print the median and the ninth decile of the milliseconds for each function."""
    heading("Functions of JAX's test harness")
    command = [JOBS / "convert_harness.py", _EVERY]
    exporters = {OURS: partial(run_ours, command)}
    public = settings.yardstick("public")
    if public is not None:
        exporters["public jax2onnx 0.17.1"] = partial(run, [public, *command], settings.work)
    results = in_turns(1, exporters)
    table(
        ("exporter", "converted", "failed", "median, CPU ms", "ninth decile", "JAX's tracing"),
        [(name, *_row(finished)) for name, (finished,) in results.items()],
    )
    median = statistics.median(results[OURS][0].result["convert"])
    verdict(f"{median:.1f} ms at the median, {_ALLOWED:.0f} allowed", median < _ALLOWED)


def _row(finished: Finished) -> tuple[object, ...]:
    result = finished.result
    took = result["convert"]
    return (
        len(took),
        result["failed"],
        f"{statistics.median(took):.1f}",
        f"{statistics.quantiles(took, n=10)[-1]:.1f}",
        f"{statistics.median(result['trace']):.1f}",
    )
