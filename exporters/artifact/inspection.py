"""Descriptions of an artifact or a checkpoint, taken from the files alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx_ir as ir
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from exporters.artifact import summary
from exporters.artifact.manifest import describe
from exporters.artifact.stamp import stamped_terms
from exporters.errors import ExportError
from weights import Checkpoint
from weights.files.hashing import hash_file
from weights.files.pins import Pin


def load(artifact: Path) -> ir.Model:
    """Return the model of an .onnx file, without reading weights that lie outside it.

    Raises:
        ExportError: there is no such file, or it is not an ONNX model.
    """
    if not artifact.is_file():
        raise ExportError(
            f"{artifact} does not exist. Give an .onnx file or a checkpoint's folder."
        )
    try:
        model = ir.load(artifact, format="protobuf")  # whatever its name ends in
    except DecodeError as error:
        raise ExportError(
            f"{artifact} is not an ONNX model, or it is truncated: {error}. Export it again."
        ) from error
    return model


def describe_artifact(artifact: Path) -> dict[str, Any]:
    """Return the part of an artifact's manifest that the artifact itself contains."""
    model = load(artifact)
    sha256, size = hash_file(artifact)
    return {
        "artifact": asdict(Pin(artifact.name, sha256, size)),
        **describe(model),
        "weights": stamped_terms(model),
    }


def describe_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the tensors, their types and the files of a checkpoint, from its headers alone."""
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
    """Return a summary of a few lines, from what ``describe_checkpoint`` returned."""
    files = described["files"]
    dtypes = ", ".join(f"{n} {summary.size(b)}" for n, b in described["bytes_by_dtype"].items())
    named = files[0]["name"] if len(files) == 1 else f"{files[0]['name']} ... {files[-1]['name']}"
    rows = {
        "model": described["model_type"] or "unknown (there is no config.json that names it)",
        "tensors": f"{described['tensors']:,} ({dtypes})",
        "files": f"{named} ({len(files)}), {summary.size(sum(f['size'] for f in files))}",
    }
    width = max(map(len, rows))
    return "\n".join([str(folder), *(f"  {k:<{width}}  {v}" for k, v in rows.items())]) + "\n"
