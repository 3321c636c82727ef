"""Measure time and peak memory of the conversion of ViT-B/16 with embedded weights."""

from __future__ import annotations

import statistics
from functools import partial

from benchmarks.processes import JOBS, in_turns, run_ours, values
from benchmarks.report import heading, megabytes, spread, table, verdict
from benchmarks.settings import Settings

_SECONDS, _TIMES, _MORE = 2.0, 1.2, 300e6


def run_figure(settings: Settings) -> None:
    """Print the figure. The peak includes the weights, which are loaded before the conversion."""
    heading("ViT-B/16 with its weights embedded")
    output = settings.folder("embedded") / "vit.onnx"
    job = partial(run_ours, [JOBS / "embed_vit.py", output])
    runs = in_turns(settings.repeat, {"ours": job})["ours"]
    (size,) = set(values(runs, "size"))
    seconds = values(runs, "cpu")
    peaks = [finished.peak for finished in runs]
    table(
        ("weights, MB", "file, MB", "conversion, CPU s", "peak, MB"),
        [
            (
                megabytes(size),
                megabytes(output.stat().st_size),
                spread(seconds),
                spread((peak / 1e6 for peak in peaks), 0),
            )
        ],
    )
    verdict(
        f"{statistics.median(seconds):.2f} CPU s, {_SECONDS} allowed",
        statistics.median(seconds) < _SECONDS,
    )
    allowed = _TIMES * size + _MORE
    verdict(
        f"{megabytes(max(peaks))} MB at the peak, {megabytes(allowed)} allowed",
        max(peaks) < allowed,
    )
