"""Compare the artifacts of three exporters for several models with a symbolic batch."""

from __future__ import annotations

from functools import partial

from benchmarks.architectures import ARCHITECTURES, Architecture
from benchmarks.comparison import OURS, Contender, compare_latencies, exports, latencies
from benchmarks.processes import JOBS, run, run_ours
from benchmarks.report import heading
from benchmarks.settings import Settings

_SLOWER = 1.05


def run_figure(settings: Settings) -> None:
    """Print the latencies. The JAX exporters convert the same random model, PyTorch another."""
    for name, architecture in ARCHITECTURES.items():
        _compare(settings, name, architecture)


def _compare(settings: Settings, name: str, architecture: Architecture) -> None:
    heading(architecture.title)
    contenders = of_architecture(settings, name)
    exports(settings, contenders)
    medians = latencies(settings, contenders, architecture.feeds, (name,))
    compare_latencies(contenders, medians, _SLOWER)


def of_architecture(settings: Settings, name: str) -> dict[str, Contender]:
    """Return the exporters that convert a model of ``benchmarks.architectures``."""
    out = settings.folder(f"models/{name}")
    ours = out / "ours.onnx"
    job = [JOBS / "convert_model.py", name]
    contenders = {OURS: Contender(partial(run_ours, [*job, ours], settings.work), ours)}
    public = settings.yardstick("public")
    if public is not None:
        artifact = out / "public.onnx"
        contenders["public jax2onnx 0.17.1"] = Contender(
            partial(run, [public, *job, artifact], settings.work), artifact
        )
    torch = settings.yardstick("torch")
    if torch is not None:
        artifact = out / "torch.onnx"
        command = [torch, JOBS / "torch_models.py", name, artifact]
        contenders["torch.onnx 2.13"] = Contender(
            partial(run, command, settings.work), artifact, alike=False
        )
    return contenders
