"""``safetensors_weights``: weights that lie in the repository."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import Rule, collect_rules, rule
from onnx_export.errors import OnnxExportError
from onnx_export.weights.base import Weights, WeightsFieldSet, files_of, unmatched
from onnx_export.weights.target_types import RepositoryFilesField


@dataclass(frozen=True)
class RepositoryWeightsFieldSet(WeightsFieldSet):
    required_fields = (RepositoryFilesField,)

    files: RepositoryFilesField


@rule(desc="Read weights in the repository", level=LogLevel.DEBUG)
async def repository_weights(field_set: RepositoryWeightsFieldSet) -> Weights:
    sources = await compat.sources_of(field_set.files)
    origin = f"The {field_set.files.alias!r} field of {field_set.address}"
    missing = unmatched(field_set.files.globs, sources.snapshot.files)
    if not sources.snapshot.files:
        missing = missing or list(field_set.files.globs)
        if not missing:
            raise OnnxExportError(f"{origin} is empty. Name the files of the checkpoint.")
    if missing:
        raise OnnxExportError(f"{origin} names {missing[0]!r}, and there is no such file.")
    folder, *others = _folders(sources.snapshot.files)
    if others:
        raise OnnxExportError(
            f"{origin} must name files of one folder, but they lie in "
            f"{', '.join((folder, *others))}."
        )
    digest = await compat.stripped(sources.snapshot.digest, folder)
    files = files_of(await compat.entries_of(digest))
    return field_set.weights(files, digest=digest, repository_folder=folder)


def _folders(files: Iterable[str]) -> list[str]:
    """Return the folders of the tensors, and those of other files that are not below them."""
    paths = [PurePosixPath(file) for file in files]
    tensors = {path.parent for path in paths if path.suffix == ".safetensors"}
    others = {
        path.parent for path in paths if not any(folder in path.parents for folder in tensors)
    }
    return sorted(str(folder) for folder in tensors | others)


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(WeightsFieldSet, RepositoryWeightsFieldSet))
