"""One decoding step of GPT-OSS in each variant: its cost, and where the time goes.

Both models are packed in MXFP4, as published: a small one of 4 layers x 1024, and two layers of the
published widths with 4 experts and the whole vocabulary.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.checkpoints import gpt_oss_packed, gpt_oss_wide
from benchmarks.processes import JOBS, run_ours
from benchmarks.report import heading, spread, table
from benchmarks.settings import Settings
from exporters.families.gpt_oss.qmoe import SESSION

_PAST = 256
_OPTIONS = {"cache": True, "logits": "last"}
_VARIANTS: Mapping[str, Mapping[str, str]] = {"portable": {}, "cpu": SESSION, "cpu-fast": {}}
_SHOWN = 8
_COLUMNS = ("variant", "threads", "CPU, ms", "tokens/s", "load, CPU s", "memory, MB", "difference")
_MODELS = {
    "4 layers x 1024, 8 experts": gpt_oss_packed,
    "2 layers x 2880, 4 experts, vocabulary 201,088": gpt_oss_wide,
}


def run_figure(settings: Settings) -> None:
    """Print the figure."""
    for title, make in _MODELS.items():
        heading(f"A decoding step of GPT-OSS after {_PAST} tokens, {title}")
        models = _exported(settings, make(settings.work))
        reports = {threads: _steps(settings, models, threads) for threads in (1, 2)}
        table(
            _COLUMNS,
            [
                (name, threads, *_costs(report))
                for threads, steps in reports.items()
                for name, report in steps.items()
            ],
        )
        for name, report in reports[1].items():
            shown = list(report["operators"].items())[:_SHOWN]
            listed = ", ".join(f"{operator} {ms:.1f}" for operator, ms in shown)
            print(f"{name}, ms by operator on one thread: {listed}\n")


def _exported(settings: Settings, checkpoint: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return the models of the job's request, by the names of the variants."""
    derived = settings.work / f"{checkpoint.name}_int8"
    if not derived.exists():
        function = "exporters.families.gpt_oss.derived:int8"
        run_ours(["-m", "exporters", "derive", function, checkpoint, derived])
    models = {}
    for variant, session in _VARIANTS.items():
        weights = checkpoint if variant == "portable" else derived
        artifact = settings.folder("decode_out") / f"{checkpoint.name}_{variant}.onnx"
        options = json.dumps({**_OPTIONS, "variant": variant})
        run_ours([JOBS / "export_ours.py", "gpt_oss", weights, artifact, options])
        models[variant] = {"file": str(artifact), "weights": str(weights), "settings": session}
    return models


def _steps(
    settings: Settings, models: Mapping[str, Mapping[str, Any]], threads: int
) -> Mapping[str, Any]:
    request = {"models": models, "past": _PAST, "threads": threads, "runs": settings.runs}
    return run_ours([JOBS / "decode.py", json.dumps(request)], settings.work).result


def _costs(report: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        spread(report["cpu"], 1),
        f"{1e3 / statistics.median(report['wall']):.1f} ({1e3 / min(report['wall']):.1f})",
        f"{report['load']:.2f}",
        f"{report['memory']:.0f}",
        f"{report['difference']:.1e}",
    )
