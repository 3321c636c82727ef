"""Descriptions of an artifact or a checkpoint, taken from the files alone."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
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

_MOST_BYTES = (1 << 31) - 1
"""Bytes of an ONNX model without its weights, at most: the limit of its format."""


def load(artifact: Path) -> ir.Model:
    """Return the model of an .onnx file, without reading weights that lie outside it.

    Raises:
        ExportError: there is no such file, or it is not an ONNX model.
    """
    if not artifact.is_file():
        raise ExportError(
            f"{artifact} does not exist. Give an .onnx file or a checkpoint's folder."
        )
    if (size := artifact.stat().st_size) > _MOST_BYTES:
        raise ExportError(
            f"{artifact} has {size:,} bytes, and an ONNX model has at most {_MOST_BYTES:,}. Give "
            "the .onnx file, not that of its weights."
        )
    with understood(artifact):
        model = ir.load(artifact, format="protobuf")  # whatever its name ends in
        describe(model)
    if not model.graph.outputs:
        raise ExportError(f"{artifact} is not an ONNX model: it has no outputs. Export it again.")
    return model


@contextlib.contextmanager
def understood(artifact: Path) -> Iterator[None]:
    """Raise an ``ExportError`` for what the block does not understand in an artifact.

    The libraries that read ONNX check little, so a malformed model fails wherever they use it.
    """
    try:
        yield
    except DecodeError as error:
        raise ExportError(
            f"{artifact} is not an ONNX model, or it is truncated: {error}. Export it again."
        ) from error
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        problem = str(error) or type(error).__name__
        raise ExportError(
            f"{artifact} is not a valid ONNX model: {problem}. Export it again."
        ) from error


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
