"""From a checkpoint to an artifact: bind, convert, stamp, write, and describe in a manifest."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx_ir as ir

from exporters import functions
from exporters.artifact import bind as binding
from exporters.artifact.exportable import Exportable
from exporters.artifact.manifest import WEIGHTS_DIGEST, Weights, manifest, to_json
from exporters.drivers import hermetic
from exporters.errors import ExportError
from jax2onnx import Jax2OnnxError, WriteError, save, to_onnx
from jax2onnx.files import atomic_files, explain
from weights import Checkpoint
from weights.files.atomic import explained


@dataclass(frozen=True)
class Request:
    """What to export: `exporter` is the family's function, as "package.module:function"."""

    target: str
    exporter: str
    options: Mapping[str, Any]
    opset: int
    checkpoint: Checkpoint
    weights: Weights


def prepare(request: Request) -> Exportable:
    """The abstract model, every parameter of it bound to a tensor of the checkpoint.

    Raises:
        ExportError: an unknown option, or a checkpoint that does not fit the model.
    """
    function = functions.find(request.exporter, "exporter")
    exportable = functions.call(function, request.exporter, [request.checkpoint], request.options)
    if not isinstance(exportable, Exportable):
        raise ExportError(
            f"{request.exporter} returned {type(exportable).__name__}; an exporter returns an "
            "exporters.artifact.exportable.Exportable."
        )
    binding.check(
        exportable.model,
        exportable.parameters,
        request.checkpoint,
        ignored=exportable.ignored,
    )
    return exportable


def export(request: Request, output: Path) -> dict[str, Any]:
    """Writes the artifact, `output` = NAME.onnx, and NAME.manifest.json beside it; both or neither.

    The artifact points into the checkpoint's files, by name; none of them is read but its header.

    Returns:
        The manifest.
    """
    model = convert(request, prepare(request), output.stem)
    hermetic.verify()
    with _staging(output) as staged:
        try:
            save(model, staged)
            document = manifest(
                staged,
                model,
                [request.weights],
                target=request.target,
                exporter=request.exporter,
                options=request.options,
            )
            with atomic_files([manifest_path(staged)]) as [file]:
                file.write(to_json(document).encode())
        except (WriteError, OSError) as error:
            message = explain(error) if isinstance(error, OSError) else str(error)
            message = message.replace(str(staged.parent), str(output.parent))
            raise ExportError(f"{request.target}: {message}") from error
        # In this order, so that there is never an artifact without its manifest.
        manifest_path(staged).replace(manifest_path(output))
        staged.replace(output)
    return document


@contextlib.contextmanager
def _staging(output: Path) -> Iterator[Path]:
    """A path on the same disk as `output` and of the same name, which is gone in the end."""
    with explained(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(".tmp", f".{output.name}.", output.parent) as scratch:
            yield Path(scratch) / output.name


def manifest_path(artifact: Path) -> Path:
    """NAME.manifest.json, for the artifact NAME.onnx."""
    return artifact.with_suffix(".manifest.json")


def convert(request: Request, exportable: Exportable, name: str) -> ir.Model:
    """The finished ONNX model, its parameters references into the checkpoint."""
    try:
        model = to_onnx(
            exportable.model,
            exportable.inputs,
            model_name=name,
            opset=request.opset,
            parameters=binding.external(exportable.parameters, request.checkpoint),
            return_mode="ir",
            input_names=exportable.input_names,
            output_names=exportable.output_names,
        )
    except Jax2OnnxError as error:
        raise ExportError(f"{request.target}: {error}") from error
    _stamp(model, request.weights)
    return model


def _stamp(model: ir.Model, weights: Weights) -> None:
    """Licence, origin and digests of the weights, so that the artifact alone can tell them.

    `model_license` is ONNX's own name for it (onnx/docs/MetadataProps.md).
    """
    stamps = {"model_license": weights.licence, "weights_source": weights.source}
    stamps |= {f"{WEIGHTS_DIGEST}{pin.name}": pin.sha256 for pin in weights.files}
    model.metadata_props.update(sorted(stamps.items()))
