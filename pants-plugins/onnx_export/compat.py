"""Everything that depends on the version of Pants, which is 2.17 here.

Rules call the helpers below for what Pants itself provides, and use ``Get`` (from this module) only
to call one another. A port to a Pants without ``Get`` (2.32 and later) changes this module and
those few calls.

The helpers are coroutines with precise types. The rule visitor of 2.17 looks into coroutines, so
their requests count as those of the calling rule.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TypeVar

from pants.backend.python.dependency_inference.module_mapper import (
    PythonModuleOwners,
    PythonModuleOwnersRequest,
)
from pants.backend.python.target_types import PexLayout
from pants.backend.python.util_rules import pex, python_sources
from pants.backend.python.util_rules.pex import Pex, PexRequest, VenvPex, VenvPexProcess
from pants.backend.python.util_rules.pex_requirements import PexRequirements, Resolve
from pants.backend.python.util_rules.python_sources import (
    PythonSourceFiles,
    PythonSourceFilesRequest,
)
from pants.core.goals.test import ShowOutput, TestResult
from pants.core.util_rules.adhoc_binaries import PythonBuildStandaloneBinary as ScriptsPython
from pants.core.util_rules.distdir import DistDir
from pants.core.util_rules.environments import EnvironmentField
from pants.engine.addresses import Address, Addresses, UnparsedAddressInputs
from pants.engine.env_vars import EnvironmentVars, EnvironmentVarsRequest
from pants.engine.environment import EnvironmentName
from pants.engine.fs import (
    AddPrefix,
    CreateDigest,
    Digest,
    DigestContents,
    DigestEntries,
    DigestSubset,
    FileContent,
    FileEntry,
    MergeDigests,
    PathGlobs,
    RemovePrefix,
    Snapshot,
)
from pants.engine.internals.session import RunId
from pants.engine.process import (
    FallibleProcessResult,
    Process,
    ProcessResultMetadata,
)
from pants.engine.rules import Get, MultiGet, Rule, collect_rules, rule
from pants.engine.target import (
    DependenciesRequest,
    ExplicitlyProvidedDependencies,
    FieldSet,
    FieldSetsPerTarget,
    FieldSetsPerTargetRequest,
    HydratedSources,
    HydrateSourcesRequest,
    SourcesField,
    Target,
    Targets,
    TransitiveTargets,
    TransitiveTargetsRequest,
)

__all__ = [
    "DistDir",
    "EnvironmentField",
    "EnvironmentName",
    "Get",
    "MultiGet",
    "Rule",
    "RunId",
    "ScriptsPython",
    "collect_rules",
    "rule",
]

_FieldSetT = TypeVar("_FieldSetT", bound=FieldSet)


# --- targets -------------------------------------------------------------------------------------


async def targets_at(inputs: UnparsedAddressInputs) -> Targets:
    """Return the targets that a field of addresses names."""
    return await Get(Targets, UnparsedAddressInputs, inputs)


async def targets_of(addresses: Iterable[Address]) -> Targets:
    """Return the targets at these addresses."""
    return await Get(Targets, Addresses(addresses))


async def closure_of(address: Address) -> tuple[Target, ...]:
    """Return the targets that a target depends on, directly or not."""
    transitive = await Get(TransitiveTargets, TransitiveTargetsRequest((address,)))
    return tuple(transitive.dependencies)


async def field_sets_of(superclass: type[_FieldSetT], target: Target) -> tuple[_FieldSetT, ...]:
    """Return the members of the union ``superclass`` that apply to a target."""
    found = await Get(FieldSetsPerTarget, FieldSetsPerTargetRequest(superclass, (target,)))
    return tuple(found.field_sets)


async def explicit_dependencies(request: DependenciesRequest) -> ExplicitlyProvidedDependencies:
    """Return the dependencies that a ``dependencies`` field names."""
    return await Get(ExplicitlyProvidedDependencies, DependenciesRequest, request)


async def owners_of_module(module: str, resolve: str | None) -> PythonModuleOwners:
    """Return the targets that own a Python module, in one resolve or, without a name, in any."""
    return await Get(PythonModuleOwners, PythonModuleOwnersRequest(module, resolve=resolve))


async def sources_of(field: SourcesField) -> HydratedSources:
    """Return the files that a field of sources names."""
    return await Get(HydratedSources, HydrateSourcesRequest(field))


# --- files ---------------------------------------------------------------------------------------


async def digest_of(files: Mapping[str, bytes]) -> Digest:
    """Return a digest of new files, by path."""
    return await Get(
        Digest, CreateDigest([FileContent(name, content) for name, content in files.items()])
    )


async def files_at(globs: PathGlobs) -> Digest:
    """Return files of the repository. Globs may match nothing."""
    return await Get(Digest, PathGlobs, globs)


async def merged(digests: Iterable[Digest]) -> Digest:
    """Return one digest of the files of several."""
    return await Get(Digest, MergeDigests(digests))


async def prefixed(digest: Digest, prefix: str) -> Digest:
    """Return the same files, in a folder."""
    return await Get(Digest, AddPrefix(digest, prefix))


async def stripped(digest: Digest, prefix: str) -> Digest:
    """Return the same files, without their leading folder."""
    return await Get(Digest, RemovePrefix(digest, prefix))


async def renamed(digest: Digest, names: Mapping[str, str]) -> Digest:
    """Return files under new paths. Files without a new path are left out."""
    return await Get(
        Digest,
        CreateDigest(
            [
                dataclasses.replace(entry, path=names[entry.path])
                for entry in await entries_of(digest)
                if entry.path in names
            ]
        ),
    )


async def subset_below(digest: Digest, path: str) -> Digest:
    """Return one file or folder of a digest."""
    found = await Get(Snapshot, DigestSubset(digest, PathGlobs([path, f"{path}/**"])))
    return found.digest


async def subset(digest: Digest, globs: PathGlobs) -> Snapshot:
    """Return the files of a digest that match."""
    return await Get(Snapshot, DigestSubset(digest, globs))


async def snapshot_of(digest: Digest) -> Snapshot:
    """Return a digest with the names of its files."""
    return await Get(Snapshot, Digest, digest)


async def entries_of(digest: Digest) -> tuple[FileEntry, ...]:
    """Return name, SHA-256 and size of each file."""
    entries = await Get(DigestEntries, Digest, digest)
    return tuple(entry for entry in entries if isinstance(entry, FileEntry))


async def contents_of(digest: Digest) -> Mapping[str, bytes]:
    """Return the bytes of each file by path. Use it for small files."""
    contents = await Get(DigestContents, Digest, digest)
    return {file.path: file.content for file in contents}


# --- Python --------------------------------------------------------------------------------------


async def python_sources_of(targets: Iterable[Target]) -> PythonSourceFiles:
    """Return the first-party sources of targets, and the folders that they are imported from."""
    return await Get(
        PythonSourceFiles, PythonSourceFilesRequest(tuple(targets), include_files=True)
    )


async def venv_of_resolve(resolve: str) -> VenvPex:
    """Return a virtual environment with the whole lockfile of a resolve."""
    return await Get(
        VenvPex,
        PexRequest(
            output_filename=f"{resolve}.pex",
            internal_only=True,
            requirements=PexRequirements(from_superset=Resolve(resolve, use_entire_lockfile=True)),
        ),
    )


async def wheels_of_resolve(resolve: str) -> Pex:
    """Return the wheels of the whole lockfile of a resolve, each unpacked under ``.deps/``."""
    return await Get(
        Pex,
        PexRequest(
            output_filename=f"{resolve}.wheels",
            internal_only=True,
            layout=PexLayout.LOOSE,
            requirements=PexRequirements(from_superset=Resolve(resolve, use_entire_lockfile=True)),
        ),
    )


async def process_in_venv(request: VenvPexProcess) -> Process:
    """Return a process of a virtual environment."""
    return await Get(Process, VenvPexProcess, request)


# --- processes -----------------------------------------------------------------------------------


async def environment_variables(names: Iterable[str]) -> Mapping[str, str]:
    """Return the values of the variables that are set."""
    return await Get(EnvironmentVars, EnvironmentVarsRequest(tuple(names)))


async def execute(process: Process) -> FallibleProcessResult:
    """Run a process, or return its result from the cache."""
    return await Get(FallibleProcessResult, Process, process)


def ran_now(metadata: ProcessResultMetadata, run_id: RunId) -> bool:
    """Return whether this command ran the process, and did not find its result in a cache."""
    return metadata.source(run_id) is ProcessResultMetadata.Source.RAN


def test_result(result: FallibleProcessResult, address: Address, output: ShowOutput) -> TestResult:
    """Return the report of the ``test`` goal on a process."""
    return TestResult.from_fallible_process_result(
        process_result=result, address=address, output_setting=output
    )


def rules() -> Iterable[Rule]:
    """Return the rules of Pants that this plugin needs, which may not be registered otherwise."""
    return (*pex.rules(), *python_sources.rules())
