"""Measure whether the peak memory of an export by reference grows with the checkpoint."""

from __future__ import annotations

import shutil
from functools import partial

from benchmarks.checkpoints import sparse_dinov3
from benchmarks.exports import export
from benchmarks.processes import in_turns
from benchmarks.report import heading, megabytes, spread, table, verdict
from benchmarks.settings import Settings

_WIDTHS = {"small": 128, "large": 2640}
_ALLOWED = 100e6


def run_figure(settings: Settings) -> None:
    """Print the peaks for DINOv3 in two widths: sparse files of 10 MB and 4 GB of f32."""
    heading("Peak memory of an export by reference")
    sizes, exports = {}, {}
    for name, width in _WIDTHS.items():
        sandbox = settings.folder(f"memory/{name}")
        shutil.rmtree(sandbox)
        weights = settings.folder(f"memory/{name}/checkpoint")
        sizes[name] = sparse_dinov3(weights, width)
        exports[name] = partial(export, "dinov3", weights, sandbox)
    results = in_turns(settings.repeat, exports)
    rows, least = [], {}
    for name, size in sizes.items():
        peaks = [finished.peak for _, finished in results[name]]
        least[name] = min(peaks)
        rows.append((megabytes(size), spread((peak / 1e6 for peak in peaks), 0)))
    table(("checkpoint, MB", "peak, MB"), rows)
    difference = abs(least["large"] - least["small"])
    verdict(
        f"the peaks differ by {megabytes(difference)} MB, {megabytes(_ALLOWED)} allowed",
        difference < _ALLOWED,
    )
