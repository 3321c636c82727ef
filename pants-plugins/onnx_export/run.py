"""`./pants run` of a model: the artifact, its manifest and small weights in `dist/`, and a summary.

And of weights: the bytes are fetched or made, and the command says where they lie.
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pants.backend.python.subsystems.setup import PythonSetup
from pants.core.goals.run import RunFieldSet, RunInSandboxBehavior, RunRequest
from pants.engine.addresses import UnparsedAddressInputs
from pants.engine.fs import EMPTY_DIGEST, Digest
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import (
    DistDir,
    Get,
    MultiGet,
    Rule,
    RunId,
    ScriptsPython,
    collect_rules,
    rule,
)
from onnx_export.export import ExportedModel, ExportRequest, OnnxModelFieldSet
from onnx_export.package import Layout, LayoutRequest
from onnx_export.runtime import (
    WEIGHTS_CACHE,
    WEIGHTS_STORE,
    OnnxExportError,
    Supplied,
    SupplyRequest,
)
from onnx_export.subsystem import OnnxExport
from onnx_export.weights import Weights, WeightsRequest
from onnx_export.weights_target_types import LicenceField, ProvenanceField

_FILES = "files"
_MODULES = "modules"


@dataclass(frozen=True)
class SummaryRequest:
    module: str


@dataclass(frozen=True)
class SummaryModule:
    """The sources of the module that renders summaries, and the roots that it is imported from."""

    digest: Digest
    roots: tuple[str, ...]


@rule(desc="Find the summary's module", level=LogLevel.DEBUG)
async def find_summary(request: SummaryRequest, python_setup: PythonSetup) -> SummaryModule:
    owners = await compat.owners_of_module(request.module, python_setup.default_resolve)
    if len(owners.unambiguous) != 1:
        raise OnnxExportError(
            f"The option [onnx-export].summary names the module {request.module!r}, which no "
            "target owns, or more than one."
        )
    targets = await compat.targets_of(owners.unambiguous)
    closure = await compat.closure_of(owners.unambiguous[0])
    sources = await compat.python_sources_of((*targets, *closure))
    return SummaryModule(
        await compat.prefixed(sources.source_files.snapshot.digest, _MODULES),
        tuple(f"{_MODULES}/{root}" for root in sources.source_roots),
    )


async def _placing(
    python: ScriptsPython, request: Mapping[str, Any], *digests: Digest
) -> RunRequest:
    script = pkgutil.get_data(__package__, "_place.py")
    assert script is not None
    own = await compat.digest_of(
        {"_place.py": script, "__request.json": json.dumps(request).encode()}
    )
    return RunRequest(
        digest=await compat.merged((own, *digests)),
        args=(python.path, "-IB", "{chroot}/_place.py", "{chroot}"),
        append_only_caches={WEIGHTS_CACHE: WEIGHTS_STORE},
    )


@rule(desc="Run an export", level=LogLevel.DEBUG)
async def run_model(
    field_set: OnnxModelFieldSet,
    options: OnnxExport,
    python: ScriptsPython,
    dist_dir: DistDir,
    run_id: RunId,
) -> RunRequest:
    model, summary = await MultiGet(
        Get(ExportedModel, ExportRequest(field_set)),
        Get(SummaryModule, SummaryRequest(options.summary)),
    )
    layout = await Get(Layout, LayoutRequest(model))
    return await _placing(
        python,
        {
            "target": model.address.spec,
            "into": str(dist_dir.relpath),
            "files": _FILES,
            "artifact": model.onnx,
            "manifest": model.manifest,
            "cached": not compat.ran_now(model.metadata, run_id),
            "weights": [file.name for file in model.weights.files],
            "weights_size": model.weights.size,
            "weights_target": model.weights.address.spec,
            "weights_in": model.folder if layout.weights else None,
            "repository_folder": model.weights.repository_folder,
            "store": WEIGHTS_STORE,
            "lay_up_to": options.by_reference_above,
            "summary": options.summary,
            "modules": list(summary.roots),
        },
        await compat.prefixed(layout.digest, _FILES),
        summary.digest,
    )


@dataclass(frozen=True)
class RunWeightsFieldSet(RunFieldSet):
    """Any weights target: `run` sees to it that the bytes are here."""

    required_fields = (LicenceField, ProvenanceField)
    run_in_sandbox_behavior = RunInSandboxBehavior.NOT_SUPPORTED

    licence: LicenceField


@rule(desc="Supply weights", level=LogLevel.DEBUG)
async def run_weights(
    field_set: RunWeightsFieldSet, python: ScriptsPython, run_id: RunId
) -> RunRequest:
    address = UnparsedAddressInputs(
        (field_set.address.spec,), owning_address=None, description_of_origin="the `run` goal"
    )
    weights = await Get(Weights, WeightsRequest(address, "The `run` goal"))
    request = {**weights.spec(""), "folder": weights.repository_folder, "store": None}
    if weights.supply:
        supplied = await Get(Supplied, SupplyRequest(weights.supply, run_id))
        request |= {"folder": f"{WEIGHTS_STORE}/{supplied.folder}", "store": WEIGHTS_STORE}
    return await _placing(python, request, EMPTY_DIGEST)


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *OnnxModelFieldSet.rules(), *RunWeightsFieldSet.rules())
