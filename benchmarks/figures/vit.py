"""Compare three exporters on one checkpoint of DINOv3 ViT-B/16 with a symbolic batch."""

from __future__ import annotations

from functools import partial

from benchmarks.architectures import Feed
from benchmarks.checkpoints import vit_b16
from benchmarks.comparison import (
    OURS,
    Contender,
    compare_latencies,
    exports,
    latencies,
    operators,
)
from benchmarks.processes import JOBS, run, run_ours
from benchmarks.report import heading, verdict
from benchmarks.settings import Settings

_SECONDS, _OPERATORS, _SLOWER = 3.0, 500, 1.05


def run_figure(settings: Settings) -> None:
    """Print the cost of the export, and the latency on one image of 224 x 224."""
    heading("DINOv3 ViT-B/16, symbolic batch")
    checkpoint = vit_b16(settings.work)
    out = settings.folder("vit")
    ours = out / "ours.onnx"
    job = [JOBS / "export_ours.py", "dinov3", checkpoint, ours]
    contenders = {OURS: Contender(partial(run_ours, job, settings.work), ours, checkpoint)}
    for name, environment in (("public jax2onnx 0.17.1", "public"), ("torch.onnx 2.13", "torch")):
        python = settings.yardstick(environment)
        if python is not None:
            artifact = out / f"{environment}.onnx"
            command = [python, JOBS / f"{environment}_vit.py", checkpoint, artifact]
            contenders[name] = Contender(partial(run, command, settings.work), artifact)
    seconds = exports(settings, contenders)[OURS]
    medians = latencies(settings, contenders, [Feed((1, 3, 224, 224))], ("dinov3", checkpoint))
    verdict(f"{seconds:.2f} CPU s to export, {_SECONDS} allowed", seconds < _SECONDS)
    count = operators(ours)
    verdict(f"{count} operators, {_OPERATORS} allowed", count < _OPERATORS)
    compare_latencies(contenders, medians, _SLOWER)
