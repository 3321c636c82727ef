"""Start ``exporters.drivers.build`` with the requests that a build makes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from benchmarks.processes import Finished, run_ours
from exporters.drivers.request import Export, File, Weights, to_json


def export(
    family: str, weights: Path, sandbox: Path, environment: Mapping[str, str] | None = None
) -> tuple[Path, Finished]:
    """Export a checkpoint in a separate process.

    Args:
        family: the model family, such as ``dinov3``.
        weights: the folder of the checkpoint, which is not copied.
        sandbox: an existing folder, in which the process runs.
        environment: environment variables to add.

    Returns:
        The artifact, and the cost of the process.
    """
    view = sandbox / "weights"
    if not view.exists():
        view.mkdir()
        for file in weights.iterdir():
            _lay(file, view / file.name)
    files = tuple(
        File(file.name, "0" * 64, file.stat().st_size) for file in sorted(weights.iterdir())
    )
    request = Export(
        target=f"benchmarks:{family}",
        exporter=f"exporters.families.{family}.export:export",
        options={},
        weights=Weights(
            "benchmarks:weights", "Apache-2.0", "random numbers", files, folder=view.name
        ),
        opset=23,
        layout="flat",
        output="out/model.onnx",
    )
    (sandbox / "spec.json").write_text(to_json(request))
    finished = run_ours(["-m", "exporters.drivers.build", "spec.json"], sandbox, environment)
    return sandbox / "out" / "model.onnx", finished


def _lay(file: Path, place: Path) -> None:
    try:
        place.hardlink_to(file)
    except OSError:  # on another disk
        shutil.copyfile(file, place)
