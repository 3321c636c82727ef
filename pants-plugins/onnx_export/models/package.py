"""The ``package`` goal: it writes artifacts, manifests and small weights into ``dist/``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.core.goals.package import BuiltPackage, BuiltPackageArtifact, PackageFieldSet
from pants.engine.fs import EMPTY_DIGEST, Digest
from pants.engine.process import Process, ProcessCacheScope
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import Get, Rule, ScriptsPython, collect_rules, rule
from onnx_export.errors import OnnxExportError, UnpinnedWeightsError
from onnx_export.models.export import ExportedModel, ExportRequest, OnnxModelFieldSet
from onnx_export.script import SCRIPT, script
from onnx_export.skipping import Skipped, SkipRequest
from onnx_export.subsystem import OnnxExport


@dataclass(frozen=True)
class LayoutRequest:
    model: ExportedModel


@dataclass(frozen=True)
class Layout:
    """The files to write for a model, at their places below the folder of results.

    Attributes:
        digest: the files.
        files: the paths of all files.
        weights: the paths of the weights among them; empty if the weights stay where they are.
    """

    digest: Digest
    files: tuple[str, ...]
    weights: tuple[str, ...]


@rule(desc="Lay out a model", level=LogLevel.DEBUG)
async def lay_out(request: LayoutRequest, options: OnnxExport) -> Layout:
    model = request.model
    own = model.weights
    size = sum(file.size for file in model.placed)
    large_elsewhere = own.repository_folder and size > options.by_reference_above
    if own.digest is None or large_elsewhere:
        return Layout(model.snapshot.digest, model.snapshot.files, ())
    places = {name: f"{model.root}/{place}" for name, place in model.places.items()}
    weights = await compat.snapshot_of(await compat.renamed(own.digest, places))
    digest = await compat.merged((model.snapshot.digest, weights.digest))
    return Layout(digest, (*model.snapshot.files, *weights.files), weights.files)


@dataclass(frozen=True)
class IntactRequest:
    digest: Digest


@dataclass(frozen=True)
class Intact:
    """A sign that the files of a digest have the content that the digest says."""


@rule(desc="Check results before they are written", level=LogLevel.DEBUG)
async def check_intact(request: IntactRequest, python: ScriptsPython) -> Intact:
    # Pants writes files from its caches without reading their digests again.
    entries = await compat.entries_of(request.digest)
    digests = {entry.path: entry.file_digest.fingerprint for entry in entries}
    process = Process(
        (python.path, "-IB", SCRIPT, "."),
        description="Check results before they are written",
        level=LogLevel.DEBUG,
        input_digest=await compat.merged(
            (await compat.digest_of(script({"check": digests})), request.digest)
        ),
        cache_scope=ProcessCacheScope.PER_SESSION,
    )
    result = await compat.execute(process)
    if result.exit_code != 0:
        raise OnnxExportError(result.stderr.decode(errors="replace").strip())
    return Intact()


@rule(desc="Package a model", level=LogLevel.DEBUG)
async def package_model(field_set: OnnxModelFieldSet) -> BuiltPackage:
    try:
        model = await Get(ExportedModel, ExportRequest(field_set))
    except UnpinnedWeightsError as error:
        await Get(Skipped, SkipRequest(field_set.address, str(error)))
        return BuiltPackage(EMPTY_DIGEST, ())
    layout = await Get(Layout, LayoutRequest(model))
    await Get(Intact, IntactRequest(layout.digest))
    notes = () if layout.weights or not model.placed else (_whereabouts(model),)
    return BuiltPackage(
        layout.digest,
        tuple(
            BuiltPackageArtifact(file, extra_log_lines=notes if file == model.onnx else ())
            for file in layout.files
        ),
    )


def _whereabouts(model: ExportedModel) -> str:
    size = sum(file.size for file in model.placed)
    return (
        f"  its weights ({size:,} bytes of {model.weights.address}) stay where they are; for a "
        f"complete folder: ./pants run {model.address} -- --materialize DIR"
    )


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(PackageFieldSet, OnnxModelFieldSet))
