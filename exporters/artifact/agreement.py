"""Whether a manifest describes the artifact that it lies beside.

The artifact's own content decides. A manifest also says what an artifact cannot: the exporter, its
options and the versions of libraries. These are not checked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx_ir as ir

from exporters.artifact.manifest import describe
from exporters.artifact.stamp import stamps
from exporters.errors import ExportError
from weights.files.hashing import hash_file
from weights.files.strict_json import read_object

_KINDS = {"exporter": str, "options": dict, "artifact": dict, "weights": list}
_REMEDY = "Export again, which writes both."


def manifest_beside(artifact: Path, model: ir.Model) -> dict[str, Any] | None:
    """Return the manifest beside an artifact, or None if there is none.

    Args:
        artifact: the file NAME.onnx; its manifest is NAME.manifest.json.
        model: the model in that file.

    Raises:
        ExportError: the manifest belongs to another artifact, or says of this one what is not so.
        WeightsError: the file is not a JSON object.
    """
    file = artifact.with_suffix(".manifest.json")
    if not file.exists():
        return None
    made = read_object(file, _REMEDY)
    if not all(isinstance(made.get(key), kind) for key, kind in _KINDS.items()):
        raise ExportError(f"{file} is not the manifest of an artifact. {_REMEDY}")
    sha256, size = hash_file(artifact)
    if (made["artifact"].get("sha256"), made["artifact"].get("size")) != (sha256, size):
        raise ExportError(f"{file} belongs to another artifact than {artifact}. {_REMEDY}")
    content = {**describe(model), "weights": stamps(model)}
    wrong = [key for key, value in content.items() if _told(made, key) != value]
    if wrong:
        raise ExportError(
            f"{file} does not say what {artifact} contains: {', '.join(wrong)} differ. {_REMEDY}"
        )
    return made


def _told(made: Mapping[str, Any], key: str) -> Any:
    """Return what a manifest says, in the form in which an artifact says it."""
    return [_terms(each) for each in made[key]] if key == "weights" else made.get(key)


def _terms(weights: Any) -> Any:
    """Return licence, source and digests of an entry, or the entry itself if it is malformed."""
    try:
        digests = {file["name"]: file["sha256"] for file in weights["files"]}
        return {"licence": weights["licence"], "source": weights["source"], "sha256": digests}
    except (KeyError, TypeError):
        return weights
