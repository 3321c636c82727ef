"""The stamps of an artifact: licence, origin and digests of the weights that it was made from.

They are entries of the model's metadata, so that the artifact says them without its manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx_ir as ir

from exporters.artifact.manifest import Weights
from exporters.errors import ExportError
from weights.files.pins import Pins
from weights.rendering import quoted

_LICENCE = "model_license"
"""ONNX's own key for the licence (onnx/docs/MetadataProps.md)."""

_SOURCE = "weights_source"
SESSION = "onnxruntime:"
"""Followed by the name of a setting of ONNX Runtime's session, the key of its value."""

_SETTINGS = frozenset({"session.disable_prepacking"})
"""The settings that an artifact may ask for. Others make ONNX Runtime read and write files."""

_DIGEST = "sha256:"
"""Followed by the name of a file, the key of that file's digest."""


def stamp(model: ir.Model, weights: Weights) -> None:
    """Write the stamps of the weights into the metadata of a model."""
    written = {_LICENCE: weights.licence, _SOURCE: weights.source}
    written |= {f"{_DIGEST}{pin.name}": pin.sha256 for pin in weights.files}
    model.metadata_props.update(sorted(written.items()))


def stamp_session(model: ir.Model, settings: Mapping[str, str]) -> None:
    """Write the settings that ONNX Runtime's session needs into the metadata of a model."""
    model.metadata_props.update({SESSION + name: settings[name] for name in sorted(settings)})


def session_settings(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that ``stamp_session`` wrote, from the metadata of a model.

    Raises:
        ExportError: the model asks for another setting than exporters use.
    """
    found = {
        key.removeprefix(SESSION): value
        for key, value in metadata.items()
        if key.startswith(SESSION)
    }
    if others := sorted(found.keys() - _SETTINGS):
        raise ExportError(
            f"the model's metadata asks ONNX Runtime for the setting {quoted(others[0])}, which no "
            "exporter uses: do not run a model that you do not trust."
        )
    return found


def stamped_terms(model: ir.Model) -> list[dict[str, str]]:
    """Return the licence and the source of the weights, or an empty list without stamps."""
    return [{"licence": each["licence"], "source": each["source"]} for each in stamps(model)]


def stamps(model: ir.Model) -> list[dict[str, Any]]:
    """Return licence, source and digests by file, as one entry, or an empty list without stamps."""
    found = model.metadata_props
    if _LICENCE not in found:
        return []
    digests = {
        key.removeprefix(_DIGEST): value for key, value in found.items() if key.startswith(_DIGEST)
    }
    return [{"licence": found[_LICENCE], "source": found.get(_SOURCE, ""), "sha256": digests}]


def check_stamps(model: ir.Model, artifact: Path, pins: Pins) -> None:
    """Check that weights are the ones that a model was made from.

    Args:
        model: the model with its stamps.
        artifact: the file of the model, for the message.
        pins: the weights' files.

    Raises:
        ExportError: files that the model was made from are missing or differ; it names them all.
    """
    found = {pin.name: pin.sha256 for pin in pins.files}
    wrong = [
        f"  {name}: made from sha256 {digest}, found {found.get(name, 'no such file')}"
        for key, digest in sorted(model.metadata_props.items())
        if key.startswith(_DIGEST) and found.get(name := key.removeprefix(_DIGEST)) != digest
    ]
    if wrong:
        listed = "\n".join(wrong)
        raise ExportError(
            f"{artifact} was made from other weights than these:\n{listed}\n"
            "Give the weights that it was made from, or export it again."
        )
