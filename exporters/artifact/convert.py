"""Making an artifact from a checkpoint: bind the parameters, convert, stamp, write, describe."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import onnx_ir as ir

from exporters import functions
from exporters.artifact.bind import check, external, relocate
from exporters.artifact.layouts import FLAT, LAYOUTS, Layout
from exporters.artifact.manifest import Weights, manifest, to_json
from exporters.artifact.stamp import stamp, stamp_session
from exporters.errors import ExportError
from exporters.model.exportable import Exportable
from jax2onnx import Jax2OnnxError, WriteError, save, to_onnx
from jax2onnx.files import atomic_file, explain
from weights import Checkpoint
from weights.derived import provenance
from weights.files.atomic import explained, locked, scratch_folder

_LARGEST = (1 << 31) - (1 << 24)
"""The largest size of weights inside an artifact, which leaves room for the graph itself."""


@dataclass(frozen=True)
class Request:
    """A model to export.

    Attributes:
        target: the address of the model's target, or its name; errors and the manifest name it.
        exporter: the function that returns the ``Exportable``, as ``package.module:function``.
        options: the keyword arguments of that function.
        opset: the version of the ONNX operator set.
        checkpoint: the weights, open for reading.
        weights: the description of the weights for stamps and manifest.
        layout: the layout of the folder that the artifact belongs into.
    """

    target: str
    exporter: str
    options: Mapping[str, Any]
    opset: int
    checkpoint: Checkpoint
    weights: Weights
    layout: Layout = LAYOUTS[FLAT]


def export(request: Request, output: Path) -> dict[str, Any]:
    """Convert a model and write it; see ``convert`` and ``write``.

    Args:
        request: the model to export.
        output: the path of the artifact, NAME.onnx.

    Returns:
        The manifest.
    """
    return write(request, convert(request, output.stem), output)


def prepare(request: Request) -> Exportable:
    """Return the abstract model, each of its parameters bound to a tensor of the checkpoint.

    Raises:
        ExportError: an option is unknown, or the checkpoint does not fit the model.
    """
    function = functions.find(request.exporter, "exporter")
    exportable = functions.call(function, request.exporter, [request.checkpoint], request.options)
    if not isinstance(exportable, Exportable):
        raise ExportError(
            f"{request.exporter} returned {type(exportable).__name__}; an exporter returns an "
            "exporters.model.exportable.Exportable."
        )
    check(exportable.model, exportable.parameters, request.checkpoint, ignored=exportable.ignored)
    return exportable


def convert(request: Request, name: str) -> ir.Model:
    """Return the ONNX model, stamped, whose initializers refer to the checkpoint's files.

    Only the headers of those files are read.

    Args:
        request: the model to export.
        name: the name of the ONNX graph.

    Raises:
        ExportError: as ``prepare`` raises it, the model cannot be converted, or the checkpoint
            lacks side files that the layout needs.
    """
    exportable = prepare(request)
    _check_side_files(request, exportable.input_names)
    try:
        model = to_onnx(
            exportable.model,
            exportable.inputs,
            model_name=name,
            opset=request.opset,
            parameters=external(exportable.parameters, request.checkpoint),
            return_mode="ir",
            input_names=exportable.input_names,
            output_names=exportable.output_names,
            **exportable.conversion,
        )
    except Jax2OnnxError as error:
        raise ExportError(f"{request.target}: {error}") from error
    stamp(model, request.weights)
    stamp_session(model, exportable.session)
    return model


def write(request: Request, model: ir.Model, output: Path) -> dict[str, Any]:
    """Write the artifact NAME.onnx, and NAME.manifest.json beside it: both or neither.

    Args:
        request: the request that the model was converted for.
        model: the model that ``convert`` returned. Its references are changed if the layout renames
            the files of the weights.
        output: the path of the artifact.

    Returns:
        The manifest.

    Raises:
        ExportError: a file cannot be written.
    """
    layout = request.layout
    places = layout.places(output.name, [pin.name for pin in request.weights.files])
    if layout.inside:
        _check_fits(request, model)
    with _staging(output) as staged:
        try:
            if layout.renamed:
                names = {name: PurePosixPath(place).name for name, place in places.items()}
                relocate(model, names, staged.parent)
            save(model, staged, external_data=False if layout.inside else None)
            document = manifest(
                staged,
                # A model whose weights are inside refers to no file.
                ir.load(staged) if layout.inside else model,
                [request.weights],
                target=request.target,
                exporter=request.exporter,
                options=request.options,
                layout=layout.name,
                files={place: name for name, place in sorted(places.items())},
                derived_from=provenance(request.checkpoint),
            )
            with atomic_file(manifest_path(staged)) as file:
                file.write(to_json(document).encode())
        except (WriteError, OSError) as error:
            message = explain(error) if isinstance(error, OSError) else str(error)
            message = message.replace(str(staged.parent), str(output.parent))
            raise ExportError(f"{request.target}: {message}") from error
        with explained(output):
            _replace_both(staged, output)
    return document


def _replace_both(staged: Path, output: Path) -> None:
    """Move an artifact and its manifest to their places, where older ones may be.

    A manifest always belongs to the artifact beside it, even if the process is killed in between:
    the old manifest leaves first, and the new one comes last. The lock orders exports that write
    the same artifact at the same time. If a file cannot be moved, the old manifest returns.
    """
    manifest, old = manifest_path(output), staged.with_name("replaced")
    with locked(output.parent):
        if output.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(output))
        with contextlib.suppress(FileNotFoundError):
            manifest.replace(old)
        try:
            staged.replace(output)
        except OSError:
            if old.exists():
                old.replace(manifest)
            raise
        manifest_path(staged).replace(manifest)


def _check_side_files(request: Request, inputs: Iterable[str]) -> None:
    weights = request.weights
    missing = request.layout.missing({pin.name for pin in weights.files}, inputs)
    if missing:
        raise ExportError(
            f"{request.target}: clients of the layout {request.layout.name!r} need "
            f"{', '.join(missing)}, which {weights.target} does not hold. Such files are published "
            f"with the weights ({weights.source}): add them to the files of the weights, or pin "
            "the weights again with `python -m exporters pin`."
        )


def _check_fits(request: Request, model: ir.Model) -> None:
    """Check that the weights fit into an artifact, before they are read."""
    size = sum(
        value.const_value.nbytes
        for value in model.graph.initializers.values()
        if value.const_value is not None
    )
    if size >= _LARGEST:
        names = ", ".join(each.name for each in LAYOUTS.values() if not each.inside)
        raise ExportError(
            f"{request.target}: the layout {request.layout.name!r} puts the weights "
            f"({size:,} bytes) into the artifact, and an ONNX file ends at 2 GiB. Choose a layout "
            f"that keeps them in files of their own: {names}."
        )


def manifest_path(artifact: Path) -> Path:
    """Return the path of the manifest of the artifact NAME.onnx: NAME.manifest.json."""
    return artifact.with_suffix(".manifest.json")


@contextlib.contextmanager
def _staging(output: Path) -> Iterator[Path]:
    """Yield a path of the same name in a temporary folder beside ``output``."""
    with explained(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(output) as scratch:
            yield scratch / output.name
