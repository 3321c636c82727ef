"""What can be told of an artifact or a checkpoint that somebody hands over."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx_ir as ir
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from exporters.artifact import summary
from exporters.artifact.manifest import WEIGHTS_DIGEST, describe
from exporters.errors import ExportError
from weights import Checkpoint
from weights.store.pins import Pin, Pins, hash_file


def load(artifact: Path) -> ir.Model:
    """The model of an .onnx file; weights outside it are not read.

    Raises:
        ExportError: there is no such file, or it is no ONNX model.
    """
    if not artifact.is_file():
        raise ExportError(
            f"{artifact} does not exist. Give an .onnx file or a checkpoint's folder."
        )
    try:
        model = ir.load(artifact, format="protobuf")  # whatever its name ends in
    except DecodeError as error:
        raise ExportError(
            f"{artifact} is no ONNX model, or only a part of one: {error}."
        ) from error
    return model


def describe_artifact(artifact: Path) -> dict[str, Any]:
    """The part of an artifact's manifest that can be told from the artifact alone."""
    model = load(artifact)
    sha256, size = hash_file(artifact)
    stamps = model.metadata_props
    return {
        "artifact": asdict(Pin(artifact.name, sha256, size)),
        **describe(model),
        "weights": [
            {"licence": stamps["model_license"], "source": stamps.get("weights_source", "")}
        ]
        if "model_license" in stamps
        else [],
    }


def check_weights(artifact: Path, pins: Pins) -> None:
    """Makes sure that the weights are those that the artifact was made from.

    Raises:
        ExportError: naming every file that the artifact points into and that is another one.
    """
    stamps = load(artifact).metadata_props
    found = {pin.name: pin.sha256 for pin in pins.files}
    wrong = [
        f"  {name}: made from sha256 {digest}, found {found.get(name, 'no such file')}"
        for key, digest in sorted(stamps.items())
        if key.startswith(WEIGHTS_DIGEST)
        and found.get(name := key.removeprefix(WEIGHTS_DIGEST)) != digest
    ]
    if wrong:
        listed = "\n".join(wrong)
        raise ExportError(
            f"{artifact} was made from other weights than these:\n{listed}\n"
            "Give the weights that it was made from, or export it again."
        )


def describe_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    """Tensors, parameters and files of a checkpoint, from its headers alone."""
    tensors = checkpoint.tensors.values()
    counts: Counter[str] = Counter()
    for tensor in tensors:
        counts[tensor.dtype] += tensor.nbytes
    config = checkpoint.json() if (checkpoint.folder / "config.json").is_file() else {}
    return {
        "model_type": config.get("model_type"),
        "architectures": config.get("architectures"),
        "tensors": len(checkpoint.tensors),
        "bytes_by_dtype": dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        "files": [{"name": file.name, "size": file.stat().st_size} for file in checkpoint.files],
        "shapes": {t.name: {"dtype": t.dtype, "shape": list(t.shape)} for t in tensors},
    }


def render_checkpoint(described: dict[str, Any], folder: Path) -> str:
    """A few lines for people."""
    files = described["files"]
    dtypes = ", ".join(f"{n} {summary.size(b)}" for n, b in described["bytes_by_dtype"].items())
    named = files[0]["name"] if len(files) == 1 else f"{files[0]['name']} ... {files[-1]['name']}"
    rows = {
        "model": described["model_type"] or "unknown: no config.json names it",
        "tensors": f"{described['tensors']:,} ({dtypes})",
        "files": f"{named} ({len(files)}), {summary.size(sum(f['size'] for f in files))}",
    }
    width = max(map(len, rows))
    return "\n".join([str(folder), *(f"  {k:<{width}}  {v}" for k, v in rows.items())]) + "\n"
