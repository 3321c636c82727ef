"""Folders of models, made from an artifact, its manifest and its checkpoint."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from exporters.artifact.layouts import FLAT, LAYOUTS, Layout
from exporters.errors import ExportError
from weights import Checkpoint, Pins
from weights.files.atomic import explained, scratch_folder
from weights.progress import Advance, silent
from weights.rendering import quoted
from weights.store.materialise import materialise
from weights.store.place import hard_link


def layout_of(manifest: Mapping[str, Any] | None) -> Layout:
    """Return the layout that a manifest names, or the flat one without a manifest.

    Raises:
        ExportError: the manifest names another one.
    """
    described = {} if manifest is None else manifest.get("layout", {})
    name = described.get("name", FLAT) if isinstance(described, Mapping) else described
    if not isinstance(name, str) or name not in LAYOUTS:
        raise ExportError(f"the manifest names an unknown layout, {quoted(name)}. Export again.")
    return LAYOUTS[name]


def make_folder(
    folder: Path,
    layout: Layout,
    own: Mapping[str, bytes],
    pins: Pins,
    source: Path,
    *,
    link: bool = True,
    progress: Advance = silent,
) -> Path:
    """Make the complete folder of a model in a layout. It appears complete or not at all.

    Args:
        folder: the new folder; it must be absent or empty.
        layout: the layout.
        own: the content of the artifact, NAME.onnx, and of its manifest, by file name.
        pins: the files of the checkpoint.
        source: the folder that holds these files.
        link: whether to make hard links instead of copies.
        progress: called with the number of bytes as they are read.

    Returns:
        The artifact in the new folder.
    """
    (artifact,) = (name for name in own if name.endswith(".onnx"))
    places = layout.places(artifact, [pin.name for pin in pins.files])
    also = {str(PurePosixPath(layout.folder, name)): content for name, content in own.items()}
    materialise(pins, source, folder, places=places, also=also, link=link, progress=progress)
    return folder / layout.folder / artifact


@contextlib.contextmanager
def folder_of_data(layout: Layout, artifact: Path, checkpoint: Checkpoint) -> Iterator[Path]:
    """Yield a folder that holds the weights under the names by which an artifact refers to them.

    This is the folder of the checkpoint itself, unless the layout renames weights.

    Args:
        layout: the layout of the artifact.
        artifact: the artifact, in whose folder a temporary folder is made.
        checkpoint: the weights.
    """
    if not layout.renamed:
        yield checkpoint.folder
        return
    names = [file.name for file in checkpoint.files]
    with explained(artifact), scratch_folder(artifact) as scratch:
        for name, place in layout.places(artifact.name, names).items():
            new = scratch / PurePosixPath(place).name
            # ONNX Runtime refuses symbolic links out of a folder.
            if not hard_link(checkpoint.folder / name, new):
                shutil.copyfile(checkpoint.folder / name, new)
        yield scratch
