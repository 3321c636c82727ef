"""The ``run`` goal for an ``onnx_model``.

It writes the artifact, its manifest and small weights into ``dist/``, and prints a summary.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from pants.core.goals.run import RunRequest
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import (
    DistDir,
    Get,
    Rule,
    RunId,
    ScriptsPython,
    collect_rules,
    rule,
)
from onnx_export.models.export import ExportedModel, ExportRequest, OnnxModelFieldSet
from onnx_export.models.package import Layout, LayoutRequest
from onnx_export.run.placing import placing
from onnx_export.runtime import WEIGHTS_STORE
from onnx_export.subsystem import OnnxExport

_FILES = "files"


@rule(desc="Run an export", level=LogLevel.DEBUG)
async def run_model(
    field_set: OnnxModelFieldSet,
    options: OnnxExport,
    python: ScriptsPython,
    dist_dir: DistDir,
    run_id: RunId,
) -> RunRequest:
    model = await Get(ExportedModel, ExportRequest(field_set))
    layout = await Get(Layout, LayoutRequest(model))
    own = await compat.entries_of(await compat.stripped(model.snapshot.digest, model.root))
    return await placing(
        python,
        {
            "target": model.address.spec,
            "into": str(dist_dir.relpath),
            "files": _FILES,
            "folder": model.root,
            "artifact": str(PurePosixPath(model.onnx).relative_to(model.root)),
            "manifest": str(PurePosixPath(model.manifest).relative_to(model.root)),
            "digests": {entry.path: entry.file_digest.fingerprint for entry in own},
            "cached": not compat.ran_now(model.metadata, run_id),
            "weights": {file.name: file.sha256 for file in model.placed},
            "places": dict(model.places),
            "weights_size": sum(file.size for file in model.placed),
            "weights_target": model.weights.address.spec,
            "weights_built": bool(layout.weights),
            "repository_folder": model.weights.repository_folder,
            "store": WEIGHTS_STORE,
            "lay_up_to": options.by_reference_above,
        },
        await compat.prefixed(layout.digest, _FILES),
    )


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *OnnxModelFieldSet.rules())
