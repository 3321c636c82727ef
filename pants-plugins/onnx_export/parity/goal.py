"""The ``test`` goal for an ``onnx_parity_test``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pants.core.goals.test import TestFieldSet, TestRequest, TestResult, TestSubsystem
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, EMPTY_SNAPSHOT, Snapshot
from pants.engine.process import Process, ProcessCacheScope
from pants.engine.target import SourcesField
from pants.engine.unions import UnionRule
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import (
    EnvironmentField,
    Get,
    MultiGet,
    Rule,
    ScriptsPython,
    collect_rules,
    rule,
)
from onnx_export.errors import OnnxExportError, UnpinnedWeightsError
from onnx_export.models.export import (
    WEIGHTS_FOLDER,
    ExportedModel,
    ExportRequest,
    OnnxModelFieldSet,
)
from onnx_export.models.target_types import ResolveField
from onnx_export.parity.cuda import Cuda, CudaRequest
from onnx_export.parity.target_types import (
    AtolField,
    DataField,
    ExecutionProviderField,
    ParityModelField,
    ParityTimeoutField,
    ReferenceField,
    RtolField,
)
from onnx_export.request import Parity, to_json
from onnx_export.runtime import OUTPUT, Action, ActionResult, Runtime, RuntimeRequest
from onnx_export.skipping import Skipped, SkipRequest
from onnx_export.subsystem import OnnxExport
from onnx_export.weights.base import Weights, WeightsRequest

_MODEL_FOLDER = "__model"
_DATA_FOLDER = "__data"
_REPORT = "parity.json"


@dataclass(frozen=True)
class ParityFieldSet(TestFieldSet):
    required_fields = (ParityModelField, ExecutionProviderField)

    model: ParityModelField
    reference: ReferenceField
    data: DataField
    provider: ExecutionProviderField
    atol: AtolField
    rtol: RtolField
    timeout: ParityTimeoutField
    resolve: ResolveField
    environment: EnvironmentField


class ParityRequest(TestRequest):
    tool_subsystem = OnnxExport  # type: ignore[assignment]  # an option is a descriptor
    field_set_type = ParityFieldSet


@dataclass(frozen=True)
class ParityActionRequest:
    test: ParityFieldSet
    environment: FrozenDict[str, str]
    timeout_seconds: int | None
    force: bool


async def data_of(field: DataField, test: Address) -> Snapshot:
    """Return the one file that the ``data`` field of a test names, or no file if it names none."""
    if field.value is None:
        return EMPTY_SNAPSHOT
    (target,) = await compat.targets_at(field.inputs)
    sources = await compat.sources_of(target.get(SourcesField))
    if len(sources.snapshot.files) != 1:
        raise OnnxExportError(
            f"The {field.alias!r} field of {test} must name a target of one file, such "
            f"as a `file`, but {target.address} is a `{target.alias}` of "
            f"{len(sources.snapshot.files)} files."
        )
    return sources.snapshot


@rule(desc="Compare a model with its reference", level=LogLevel.DEBUG)
async def compare(request: ParityActionRequest, options: OnnxExport) -> ActionResult:
    test = request.test
    (target,) = await compat.targets_at(test.model.inputs)
    model = OnnxModelFieldSet.create(target)
    runtime, exported, weights = await MultiGet(
        Get(Runtime, RuntimeRequest(test.address, test.resolve.value or options.resolve)),
        Get(ExportedModel, ExportRequest(model)),
        Get(Weights, WeightsRequest, model.weights_request()),
    )
    data = await data_of(test.data, test.address)
    inputs = await compat.merged(
        (
            await compat.prefixed(
                await compat.stripped(exported.snapshot.digest, exported.folder), _MODEL_FOLDER
            ),
            await compat.prefixed(weights.digest or EMPTY_DIGEST, WEIGHTS_FOLDER),
            await compat.prefixed(data.digest, _DATA_FOLDER),
        )
    )
    sent = Parity(
        target=test.address.spec,
        exporter=model.exporter.value,
        options=model.options.parsed(),
        weights=weights.described(WEIGHTS_FOLDER),
        model=f"{_MODEL_FOLDER}/{PurePosixPath(exported.onnx).name}",
        layout=exported.layout,
        reference=test.reference.value,
        data=next((f"{_DATA_FOLDER}/{file}" for file in data.files), None),
        execution_provider=test.provider.value,
        atol=test.atol.value,
        rtol=test.rtol.value,
        report=f"{OUTPUT}/{_REPORT}",
    )
    action = Action(
        description=f"Test {test.address}",
        runtime=runtime,
        module=options.parity_driver,
        request=to_json(sent),
        inputs=inputs,
        outputs=(_REPORT,),
        supplies=weights.supplies,
        environment=request.environment,
        timeout_seconds=request.timeout_seconds,
        cache_scope=(
            ProcessCacheScope.PER_SESSION if request.force else ProcessCacheScope.SUCCESSFUL
        ),
    )
    return await Get(ActionResult, Action, action)


@rule(desc="Run a parity test", level=LogLevel.DEBUG)
async def run_parity_test(
    batch: ParityRequest.Batch[ParityFieldSet, Any],
    options: OnnxExport,
    test_options: TestSubsystem,
    python: ScriptsPython,
) -> TestResult:
    test = batch.single_element
    environment = FrozenDict[str, str]()
    if test.provider.value == "cuda":
        cuda = await Get(Cuda, CudaRequest(python.path))
        if cuda.device is None and options.require_cuda:
            reason = f"it needs a CUDA device ([onnx-export].require_cuda), and {cuda.reason}."
            failed = await compat.execute(failure(test.address, reason))
            return compat.test_result(failed, test.address, test_options.output)
        if cuda.device is None:
            reason = f"it needs a CUDA device, and {cuda.reason}."
            await Get(Skipped, SkipRequest(test.address, reason))
            return TestResult.no_tests_found(test.address, test_options.output)
        environment = FrozenDict({"ONNX_EXPORT_CUDA_DEVICE": cuda.device, **cuda.libraries})
    request = ParityActionRequest(
        test,
        environment,
        test.timeout.calculate_from_global_options(test_options),
        force=test_options.force,
    )
    try:
        result = (await Get(ActionResult, ParityActionRequest, request)).process
    except UnpinnedWeightsError as error:
        await Get(Skipped, SkipRequest(test.address, str(error)))
        return TestResult.no_tests_found(test.address, test_options.output)
    except OnnxExportError as error:  # A model that cannot be exported fails its own tests only.
        result = await compat.execute(failure(test.address, str(error)))
    return compat.test_result(result, test.address, test_options.output)


def failure(address: Address, message: str) -> Process:
    """Return a process that fails with a message: the ``test`` goal can report only processes."""
    return Process(
        ("/bin/sh", "-c", 'echo "$1" >&2; exit 1', "sh", f"{address}: {message}"),
        description=f"Test {address}",
        level=LogLevel.DEBUG,
        cache_scope=ProcessCacheScope.PER_SESSION,
    )


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *ParityRequest.rules())
