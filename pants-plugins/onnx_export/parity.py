"""`./pants test` of an `onnx_parity_test`."""

from __future__ import annotations

import json
import logging
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
    RunId,
    ScriptsPython,
    collect_rules,
    rule,
)
from onnx_export.export import WEIGHTS_FOLDER, ExportedModel, ExportRequest, OnnxModelFieldSet
from onnx_export.runtime import (
    Action,
    ActionResult,
    OnnxExportError,
    Runtime,
    RuntimeRequest,
)
from onnx_export.subsystem import OnnxExport
from onnx_export.target_types import (
    AtolField,
    DataField,
    ExecutionProviderField,
    ParityModelField,
    ParityTimeoutField,
    ReferenceField,
    ResolveField,
    RtolField,
)
from onnx_export.weights import Weights, WeightsRequest

logger = logging.getLogger(__name__)

_MODEL_FOLDER = "__model"
_DATA_FOLDER = "__data"

# Asks the driver of the GPU, so that no environment with a CUDA build need be installed to be told
# that there is no GPU.
_PROBE = """\
import ctypes

try:
    cuda = ctypes.CDLL("libcuda.so.1")
except OSError as error:
    raise SystemExit(f"this machine has no NVIDIA driver ({error})")
count, version = ctypes.c_int(), ctypes.c_int()
name = ctypes.create_string_buffer(256)
if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
    raise SystemExit("the NVIDIA driver finds no GPU")
if cuda.cuDeviceGetName(name, 256, 0) or cuda.cuDriverGetVersion(ctypes.byref(version)):
    raise SystemExit("the NVIDIA driver does not answer")
print(f"{name.value.decode()}, CUDA {version.value // 1000}.{version.value % 1000 // 10}")
"""


@dataclass(frozen=True)
class ParityFieldSet(TestFieldSet):
    required_fields = (ParityModelField, ReferenceField)

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
class CudaRequest:
    python: str


@dataclass(frozen=True)
class Cuda:
    """The GPU of this machine, or the reason why there is none.

    `libraries` is the variable that says where CUDA and cuDNN are, if the user needs one. Results
    depend on both, so both are part of the key, of CUDA tests alone.
    """

    device: str | None
    reason: str
    libraries: FrozenDict[str, str]


@rule(desc="Look for a CUDA device", level=LogLevel.DEBUG)
async def find_cuda(request: CudaRequest) -> Cuda:
    libraries = FrozenDict(await compat.environment_variables(["LD_LIBRARY_PATH"]))
    result = await compat.execute(
        Process(
            (request.python, "-IS", "-c", _PROBE),
            env=libraries,
            description="Look for a CUDA device",
            level=LogLevel.DEBUG,
            cache_scope=ProcessCacheScope.PER_SESSION,
        )
    )
    if result.exit_code != 0:
        lines = result.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"the probe exited with {result.exit_code}"
        return Cuda(None, reason, libraries)
    return Cuda(result.stdout.decode().strip(), "", libraries)


@dataclass(frozen=True)
class SkipRequest:
    address: Address
    reason: str


@dataclass(frozen=True)
class Skipped:
    """The warning was given."""


@rule(desc="Skip a parity test", level=LogLevel.DEBUG)
async def skip(request: SkipRequest, run_id: RunId) -> Skipped:
    # The id of the run is asked for so that every run warns, also when all else is remembered.
    logger.warning(f"SKIPPED {request.address}: it needs a CUDA device, and {request.reason}.")
    return Skipped()


@dataclass(frozen=True)
class ParityActionRequest:
    test: ParityFieldSet
    environment: FrozenDict[str, str]
    timeout_seconds: int | None
    force: bool


async def _data(test: ParityFieldSet) -> Snapshot:
    """The one file that the `data` field names, or none."""
    if test.data.value is None:
        return EMPTY_SNAPSHOT
    (target,) = await compat.targets_at(test.data.inputs)
    sources = await compat.sources_of(target.get(SourcesField))
    if len(sources.snapshot.files) != 1:
        raise OnnxExportError(
            f"The {test.data.alias!r} field of {test.address} must name a target of one file, such "
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
    data = await _data(test)
    inputs = await compat.merged(
        (
            await compat.prefixed(
                await compat.stripped(exported.snapshot.digest, exported.folder), _MODEL_FOLDER
            ),
            await compat.prefixed(weights.digest or EMPTY_DIGEST, WEIGHTS_FOLDER),
            await compat.prefixed(data.digest, _DATA_FOLDER),
        )
    )
    spec = {
        **model.spec(weights),
        "action": "parity",
        "target": test.address.spec,
        "model": f"{_MODEL_FOLDER}/{PurePosixPath(exported.onnx).name}",
        "reference": test.reference.value,
        "data": next((f"{_DATA_FOLDER}/{file}" for file in data.files), None),
        "execution_provider": test.provider.value,
        "atol": test.atol.value,
        "rtol": test.rtol.value,
    }
    action = Action(
        description=f"Test {test.address}",
        runtime=runtime,
        module=options.parity_driver,
        spec=json.dumps(spec, sort_keys=True),
        inputs=inputs,
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
            failed = await compat.execute(_failure(test.address, reason))
            return compat.test_result(failed, test.address, test_options.output)
        if cuda.device is None:
            await Get(Skipped, SkipRequest(test.address, cuda.reason))
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
    except OnnxExportError as error:  # One model that cannot be made fails its own tests only.
        result = await compat.execute(_failure(test.address, str(error)))
    return compat.test_result(result, test.address, test_options.output)


def _failure(address: Address, message: str) -> Process:
    """A process that fails with the message: the only way for the `test` goal to report one."""
    return Process(
        ("/bin/sh", "-c", 'echo "$1" >&2; exit 1', "sh", f"{address}: {message}"),
        description=f"Test {address}",
        level=LogLevel.DEBUG,
        cache_scope=ProcessCacheScope.PER_SESSION,
    )


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *ParityRequest.rules())
