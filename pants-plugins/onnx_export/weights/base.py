"""The weights behind a weights target: their files, and how to get the bytes of the files.

``WeightsFieldSet`` is a union. Each type of weights target has a member of it, and a rule that
turns the member into ``Weights``, in a module of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar

from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.fs import Digest, FileEntry
from pants.engine.target import Field, FieldSet, SourcesField
from pants.engine.unions import union
from pants.util.logging import LogLevel

from onnx_export import compat, request
from onnx_export.compat import EnvironmentName, Get, Rule, collect_rules, rule
from onnx_export.errors import OnnxExportError
from onnx_export.request import File
from onnx_export.runtime import WEIGHTS_STORE, Action
from onnx_export.weights.target_types import LicenceField, ProvenanceField


@dataclass(frozen=True)
class Weights:
    """The files of one checkpoint.

    Attributes:
        address: the address of the weights' target.
        licence: the terms under which the weights may be used.
        source: where the weights come from, for a reader.
        files: name, SHA-256 and size of each file, sorted.
        digest: the bytes of the files, by name. None if they lie outside the store of Pants ("by
            reference"): then they are in the named cache of weights.
        supply: the action that puts files which lie outside the store into the named cache.
        repository_folder: the folder of the files, if they lie in the repository.
    """

    address: Address
    licence: str
    source: str
    files: tuple[File, ...]
    digest: Digest | None = None
    supply: Action | None = None
    repository_folder: str | None = None

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def supplies(self) -> tuple[Action, ...]:
        return (self.supply,) if self.supply else ()

    def described(self, folder: str) -> request.Weights:
        """Return the weights as a request names them; ``folder`` is where ``digest`` is placed."""
        in_store = self.digest is None
        return request.Weights(
            target=self.address.spec,
            licence=self.licence,
            source=self.source,
            files=self.files,
            folder=None if in_store else folder,
            store=WEIGHTS_STORE if in_store else None,
        )


@union(in_scope_types=[EnvironmentName])
@dataclass(frozen=True)
class WeightsFieldSet(FieldSet):
    required_fields: ClassVar[tuple[type[Field], ...]] = (LicenceField, ProvenanceField)

    licence: LicenceField
    provenance: ProvenanceField

    def weights(
        self,
        files: Iterable[File],
        *,
        digest: Digest | None = None,
        supply: Action | None = None,
        repository_folder: str | None = None,
    ) -> Weights:
        """Return the weights of this target; see ``Weights`` for the arguments."""
        return Weights(
            self.address,
            self.licence.value,
            self.provenance.value,
            tuple(sorted(files)),
            digest,
            supply,
            repository_folder,
        )


@dataclass(frozen=True)
class WeightsRequest:
    """The weights at an address. ``origin`` says who names the address, for messages."""

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


async def json_of(field: SourcesField, address: Address) -> dict[str, Any]:
    """Return the JSON object in the one file of a field."""
    sources = await compat.sources_of(field)
    ((path, content),) = (await compat.contents_of(sources.snapshot.digest)).items()
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise OnnxExportError(
            f"{address}: {path} is not valid JSON: {error}. Correct the file."
        ) from None
    if not isinstance(parsed, dict):
        raise OnnxExportError(f"{address}: {path} must hold a JSON object. Correct the file.")
    return parsed


def unmatched(globs: Iterable[str], files: Iterable[str]) -> list[str]:
    """Return the globs that match no file, except those that exclude or recurse."""
    paths = [PurePosixPath(file) for file in files]
    return [
        glob
        for glob in globs
        if not glob.startswith("!")
        and "**" not in glob
        and not any(path.match(glob) for path in paths)
    ]


def files_of(entries: Iterable[FileEntry]) -> list[File]:
    """Return the files of a digest."""
    return [
        File(entry.path, entry.file_digest.fingerprint, entry.file_digest.serialized_bytes_length)
        for entry in entries
    ]


def rules() -> Iterable[Rule]:
    return collect_rules()
