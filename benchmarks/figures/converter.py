"""Measure the cost of each step of a conversion for functions of growing size."""

from __future__ import annotations

import statistics
from functools import partial

from benchmarks.processes import JOBS, in_turns, run_ours, values
from benchmarks.report import heading, table, verdict
from benchmarks.settings import Settings

_SIZES = (1_000, 10_000, 50_000)
_STEPS = ("trace", "lower", "rewrite", "legalise", "write")
_PER_SECOND = 10_000


def run_figure(settings: Settings) -> None:
    """Print median CPU seconds; the rate covers lowering, legalising and writing, not rewriting."""
    heading("Cost of a conversion by size")
    jobs = {size: partial(run_ours, [JOBS / "convert_steps.py", str(size)]) for size in _SIZES}
    results = in_turns(settings.repeat, jobs)
    rows, rates, shares = [], [], []
    for runs in results.values():
        seconds = {step: statistics.median(values(runs, step)) for step in _STEPS}
        count = statistics.median(values(runs, "equations"))
        core = seconds["lower"] + seconds["legalise"] + seconds["write"]
        rates.append(count / core)
        shares.append(seconds["rewrite"] / core)
        rows.append(
            (
                f"{count:.0f}",
                *(f"{seconds[step]:.3f}" for step in _STEPS),
                f"{count / core:.0f}",
                f"{statistics.median(values(runs, 'grown')) / count / 1e3:.1f}",
            )
        )
    timed = [f"{step}, s" for step in _STEPS]
    table(("equations", *timed, "equations/s *", "memory, kB/equation"), rows)
    print("* lower, legalise and write\n")
    verdict(f"{min(rates):.0f} equations a second, {_PER_SECOND} wanted", min(rates) >= _PER_SECOND)
    verdict(f"rewriting takes {max(shares):.2f} of their time, 1 allowed", max(shares) <= 1)
