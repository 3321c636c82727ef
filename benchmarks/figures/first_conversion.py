"""Measure a fresh process that imports the converter and converts a one-operation function."""

from __future__ import annotations

import statistics
from functools import partial

from benchmarks.processes import JOBS, Finished, in_turns, run, run_ours
from benchmarks.report import heading, spread, table, verdict
from benchmarks.settings import Settings

_ALLOWED = 0.8
_TRACE, _CONVERT = JOBS / "trace_one.py", JOBS / "convert_one.py"


def run_figure(settings: Settings) -> None:
    """Print the cost beyond that of importing jax and tracing the same function."""
    heading("First conversion in a fresh process")
    processes = {
        ("jax2onnx", "trace"): partial(run_ours, [_TRACE]),
        ("jax2onnx", "convert"): partial(run_ours, [_CONVERT]),
    }
    public = settings.yardstick("public")
    if public is not None:
        processes["public jax2onnx 0.17.1", "trace"] = partial(run, [public, _TRACE], settings.work)
        processes["public jax2onnx 0.17.1", "convert"] = partial(
            run, [public, _CONVERT], settings.work
        )
    results = in_turns(settings.repeat, processes)
    rows, over = [], {}
    for name in dict.fromkeys(name for name, _ in processes):
        trace, convert = results[name, "trace"], results[name, "convert"]
        over[name] = _over(trace, convert, "cpu"), _over(trace, convert, "wall")
        rows.append(
            (
                name,
                spread(each.cpu for each in trace),
                spread(each.cpu for each in convert),
                f"{over[name][0]:.2f}",
                f"{over[name][1]:.2f}",
            )
        )
    columns = (
        "exporter",
        "jax alone, CPU s",
        "with conversion, CPU s",
        "extra, CPU s",
        "extra, wall s",
    )
    table(columns, rows)
    verdict(
        f"{over['jax2onnx'][0]:.2f} CPU s more than importing jax and tracing, {_ALLOWED} allowed",
        over["jax2onnx"][0] < _ALLOWED,
    )


def _over(trace: list[Finished], convert: list[Finished], clock: str) -> float:
    """Return the median difference of neighbouring runs, which a busy machine slows alike."""
    differences: list[float] = [
        getattr(after, clock) - getattr(before, clock)
        for before, after in zip(trace, convert, strict=True)
    ]
    return statistics.median(differences)
