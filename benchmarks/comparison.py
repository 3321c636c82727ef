"""Compare exporters on one architecture: the cost of the export, and the artifact."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from benchmarks.architectures import Feed
from benchmarks.processes import JOBS, Finished, in_turns, run_ours, values
from benchmarks.report import megabytes, spread, table, verdict
from benchmarks.settings import Settings

OURS = "jax2onnx"


@dataclass(frozen=True)
class Contender:
    """An exporter in a comparison.

    Attributes:
        export: runs the process that writes the artifact.
        artifact: the file that it writes.
        weights: the checkpoint that the artifact refers to, if it does.
        alike: whether its model has the same weights as the first exporter's.
    """

    export: Callable[[], Finished]
    artifact: Path
    weights: Path | None = None
    alike: bool = True

    @property
    def size(self) -> str:
        """The size of the artifact in MB, with its external data and the tensors it refers to."""
        whole = self.artifact.stat().st_size
        beside = self.artifact.with_name(f"{self.artifact.name}.data")
        if beside.exists():
            whole += beside.stat().st_size
        if self.weights is None:
            return megabytes(whole)
        referenced = sum(file.stat().st_size for file in self.weights.glob("*.safetensors"))
        return f"{megabytes(whole)} + {megabytes(referenced)} by reference"


def exports(settings: Settings, contenders: Mapping[str, Contender]) -> dict[str, float]:
    """Run the exporters in turns, print the costs, and return the median CPU seconds by name."""
    results = in_turns(settings.repeat, {name: each.export for name, each in contenders.items()})
    rows = [
        (
            name,
            spread(values(results[name], "cpu")),
            spread((each.peak / 1e6 for each in results[name]), 0),
            contender.size,
            operators(contender.artifact),
        )
        for name, contender in contenders.items()
    ]
    table(("exporter", "export, CPU s", "peak, MB", "artifact, MB", "operators"), rows)
    return {name: statistics.median(values(results[name], "cpu")) for name in contenders}


def operators(artifact: Path) -> int:
    """Count the operators that run; those of a function count once for each call."""
    return count(onnx.load(artifact, load_external_data=False))


def count(model: onnx.ModelProto) -> int:
    """Count the operators of a model that run; those of a function count once for each call."""
    functions = {(each.domain, each.name): each.node for each in model.functions}

    def of(nodes: Sequence[onnx.NodeProto]) -> int:
        total = 0
        for node in nodes:
            body = functions.get((node.domain, node.op_type))
            total += 1 if body is None else of(body)
            total += sum(of(a.g.node) for a in node.attribute if a.HasField("g"))
        return total

    return of(model.graph.node)


def run_in_turns(
    settings: Settings,
    contenders: Mapping[str, Contender],
    feeds: Sequence[Feed],
    jax: Sequence[object],
    threads: int,
) -> dict[str, Any]:
    """Run all artifacts, and ``jax.jit`` unless ``jax`` is empty, in turns in one process.

    Returns:
        The report of ``jobs/latency.py``.
    """
    request = {
        "models": {
            name: {
                "file": str(contender.artifact),
                "weights": str(contender.weights) if contender.weights else None,
            }
            for name, contender in contenders.items()
        },
        "feeds": [(feed.shape, feed.below, feed.least) for feed in feeds],
        "threads": threads,
        "runs": settings.runs,
        "jax": [str(each) for each in jax],
    }
    one = {"OMP_NUM_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    job = [JOBS / "latency.py", json.dumps(request)]
    return run_ours(job, settings.work, one if threads == 1 else {}).result


def latencies(
    settings: Settings,
    contenders: Mapping[str, Contender],
    feeds: Sequence[Feed],
    jax: Sequence[object],
    threads: Sequence[int] = (1, 2),
) -> dict[int, dict[str, dict[str, float]]]:
    """Run all artifacts and ``jax.jit`` in turns.

    Returns:
        The median milliseconds by number of threads, clock ("wall" or "cpu") and name.
    """
    medians = {}
    rows = []
    for count in threads:
        result = run_in_turns(settings, contenders, feeds, jax, count)
        medians[count] = {
            clock: {name: statistics.median(ms) for name, ms in result[clock].items()}
            for clock in ("wall", "cpu")
        }
        rows += [
            (
                count,
                name,
                spread(result["wall"][name], 0),
                spread(result["cpu"][name], 0),
                f"{result['load'][name]:.2f}" if name in result["load"] else "",
                _difference(result["difference"][name], contenders.get(name)),
            )
            for name in result["wall"]
        ]
        for name, why in result["failed"].items():
            print(f"ONNX Runtime refuses the artifact of {name}: {why}\n")
    columns = ("threads", "artifact of", "wall, ms", "CPU, ms", "load, CPU s", "difference")
    table(columns, rows)
    return medians


def _difference(found: float | None, contender: Contender | None) -> str:
    comparable = found is not None and (contender is None or contender.alike)
    return f"{found:.1e}" if comparable else "other weights"


def compare_latencies(
    contenders: Mapping[str, Contender],
    medians: Mapping[int, Mapping[str, Mapping[str, float]]],
    allowed: float,
) -> None:
    """Print the ratio of our median latencies to the better of the other exporters'."""
    for threads, clocks in medians.items():
        others = [name for name in contenders if name != OURS and name in clocks["wall"]]
        if not others:
            continue
        wall, cpu = (
            by_name[OURS] / min(by_name[name] for name in others)
            for by_name in (clocks["wall"], clocks["cpu"])
        )
        verdict(
            f"{threads} threads: {wall:.3f} of the better public artifact's latency "
            f"({cpu:.3f} of its CPU time), {allowed} allowed",
            wall <= allowed,
        )
