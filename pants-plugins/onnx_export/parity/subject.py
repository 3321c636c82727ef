"""The subject of a test of a model: its artifact, its weights, and the data of the test.

``onnx_parity_test`` and ``onnx_client_test`` share it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pants.core.goals.test import TestFieldSet
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, EMPTY_SNAPSHOT, Digest, Snapshot
from pants.engine.process import Process, ProcessCacheScope
from pants.engine.target import SourcesField
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import EnvironmentField, Get, MultiGet
from onnx_export.errors import OnnxExportError
from onnx_export.models.export import (
    WEIGHTS_FOLDER,
    ExportedModel,
    ExportRequest,
    OnnxModelFieldSet,
)
from onnx_export.models.target_types import ResolveField
from onnx_export.parity.target_types import (
    AtolField,
    DataField,
    ParityModelField,
    ParityTimeoutField,
    ReferenceField,
    RtolField,
)
from onnx_export.runtime import Runtime, RuntimeRequest
from onnx_export.weights.base import Weights, WeightsRequest

_DATA_FOLDER = "__data"


@dataclass(frozen=True)
class SubjectFieldSet(TestFieldSet):
    """The fields of every test of a model."""

    model: ParityModelField
    reference: ReferenceField
    data: DataField
    atol: AtolField
    rtol: RtolField
    timeout: ParityTimeoutField
    resolve: ResolveField
    environment: EnvironmentField


@dataclass(frozen=True)
class Subject:
    """What a test works on.

    Attributes:
        model: the target of the model.
        exported: its artifact.
        weights: the weights of the model.
        runtime: the sources and packages that the test runs with.
        data: the path of the file of the ``data`` field in the sandbox, if there is one.
        inputs: the weights and the data, at their places in the sandbox.
    """

    model: OnnxModelFieldSet
    exported: ExportedModel
    weights: Weights
    runtime: Runtime
    data: str | None
    inputs: Digest


async def _data_of(test: SubjectFieldSet) -> Snapshot:
    """Return the one file that the ``data`` field of a test names, or no file if it names none."""
    field = test.data
    if field.value is None:
        return EMPTY_SNAPSHOT
    (target,) = await compat.targets_at(field.inputs)
    sources = await compat.sources_of(target.get(SourcesField))
    if len(sources.snapshot.files) != 1:
        raise OnnxExportError(
            f"The {field.alias!r} field of {test.address} must name a target of one file, such as "
            f"a `file`, but {target.address} is a `{target.alias}` of "
            f"{len(sources.snapshot.files)} files."
        )
    return sources.snapshot


async def subject_of(test: SubjectFieldSet, default_resolve: str) -> Subject:
    """Return the subject of a test, for which the model is exported.

    Args:
        test: the test.
        default_resolve: the resolve of tests that name none.
    """
    (target,) = await compat.targets_at(test.model.inputs)
    model = OnnxModelFieldSet.create(target)
    runtime, exported, weights = await MultiGet(
        Get(Runtime, RuntimeRequest(test.address, test.resolve.value or default_resolve)),
        Get(ExportedModel, ExportRequest(model)),
        Get(Weights, WeightsRequest, model.weights_request()),
    )
    data = await _data_of(test)
    inputs = await compat.merged(
        (
            await compat.prefixed(weights.digest or EMPTY_DIGEST, WEIGHTS_FOLDER),
            await compat.prefixed(data.digest, _DATA_FOLDER),
        )
    )
    file = next((f"{_DATA_FOLDER}/{file}" for file in data.files), None)
    return Subject(model, exported, weights, runtime, file, inputs)


def failure(address: Address, message: str) -> Process:
    """Return a process that fails with a message: the ``test`` goal can report only processes."""
    return Process(
        ("/bin/sh", "-c", 'echo "$1" >&2; exit 1', "sh", f"{address}: {message}"),
        description=f"Test {address}",
        level=LogLevel.DEBUG,
        cache_scope=ProcessCacheScope.PER_SESSION,
    )
