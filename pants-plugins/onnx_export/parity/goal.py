"""The ``test`` goal for an ``onnx_parity_test``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pants.core.goals.test import TestRequest, TestResult, TestSubsystem
from pants.engine.process import ProcessCacheScope
from pants.engine.unions import UnionRule
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import Get, Rule, ScriptsPython, collect_rules, rule
from onnx_export.errors import OnnxExportError, UnpinnedWeightsError
from onnx_export.models.export import WEIGHTS_FOLDER
from onnx_export.parity.cuda import Cuda, CudaRequest
from onnx_export.parity.subject import SubjectFieldSet, failure, subject_of
from onnx_export.parity.target_types import ExecutionProviderField, ParityModelField
from onnx_export.request import Parity, to_json
from onnx_export.runtime import OUTPUT, Action, ActionResult
from onnx_export.skipping import Skipped, SkipRequest
from onnx_export.subsystem import OnnxExport

_MODEL_FOLDER = "__model"
_REPORT = "parity.json"


@dataclass(frozen=True)
class ParityFieldSet(SubjectFieldSet):
    required_fields = (ParityModelField, ExecutionProviderField)

    provider: ExecutionProviderField


class ParityRequest(TestRequest):
    tool_subsystem = OnnxExport  # type: ignore[assignment]  # an option is a descriptor
    field_set_type = ParityFieldSet


@dataclass(frozen=True)
class ParityActionRequest:
    test: ParityFieldSet
    environment: FrozenDict[str, str]
    timeout_seconds: int | None
    force: bool


@rule(desc="Compare a model with its reference", level=LogLevel.DEBUG)
async def compare(request: ParityActionRequest, options: OnnxExport) -> ActionResult:
    test = request.test
    subject = await subject_of(test, options.resolve)
    model, exported = subject.model, subject.exported
    artifact = await compat.stripped(exported.snapshot.digest, exported.folder)
    sent = Parity(
        target=test.address.spec,
        exporter=model.exporter.value,
        options=model.options.parsed(),
        weights=subject.weights.described(WEIGHTS_FOLDER),
        model=f"{_MODEL_FOLDER}/{PurePosixPath(exported.onnx).name}",
        layout=exported.layout,
        reference=test.reference.value,
        data=subject.data,
        execution_provider=test.provider.value,
        atol=test.atol.value,
        rtol=test.rtol.value,
        report=f"{OUTPUT}/{_REPORT}",
    )
    action = Action(
        description=f"Test {test.address}",
        runtime=subject.runtime,
        module=options.parity_driver,
        request=to_json(sent),
        inputs=await compat.merged(
            (subject.inputs, await compat.prefixed(artifact, _MODEL_FOLDER))
        ),
        outputs=(_REPORT,),
        supplies=subject.weights.supplies,
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


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *ParityRequest.rules())
