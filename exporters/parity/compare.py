"""Running an artifact on ONNX Runtime, and comparing its outputs with those of a reference.

A case agrees if each expected output exists, has the expected dtype and shape, holds finite values
alone, and each value is within ``atol + rtol * |expected|``. Integers and booleans must be equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from exporters.artifact.stamp import session_settings
from exporters.artifact.summary import ORT_FOLDER_OPTION
from exporters.errors import ExportError
from exporters.model.exportable import Judgement, ParityCase
from jax2onnx.checks import runtime
from jax2onnx.checks.comparison import Tolerance, absolute_error, difference, is_exact

PROVIDERS: Mapping[str, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""The execution providers of ONNX Runtime, by the names that targets and commands use."""


@dataclass(frozen=True)
class Outcome:
    """The comparison of a case.

    Attributes:
        case: the case.
        findings: one entry for each output that disagrees, each of one or more lines.
        errors: the largest absolute error of each output that has the expected dtype and shape.
    """

    case: ParityCase
    findings: tuple[str, ...]
    errors: Mapping[str, float]


def open_session(
    model: Path | bytes, provider: str, weights: Path | None = None
) -> ort.InferenceSession:
    """Return a session that runs a model on one execution provider.

    Args:
        model: the file or the bytes of the model.
        provider: a key of ``PROVIDERS``.
        weights: the folder of the model's external data, which is read in place.

    Raises:
        ExportError: the provider is unknown, this build of ONNX Runtime lacks it or falls back to
            another one, or the model does not load.
    """
    if provider not in PROVIDERS:
        raise ExportError(
            f"there is no execution provider {provider!r}; give one of {', '.join(PROVIDERS)}."
        )
    wanted = PROVIDERS[provider]
    if wanted not in ort.get_available_providers():
        raise ExportError(
            f"this build of ONNX Runtime {ort.__version__} has no {wanted}, only "
            f"{', '.join(ort.get_available_providers())}. Run with the `cuda` resolve, which has "
            "onnxruntime-gpu."
        )
    if provider == "cuda":
        ort.preload_dlls()  # the loader does not look where pip installs CUDA and cuDNN
    options = ort.SessionOptions()
    options.log_severity_level = 4  # errors are raised, and need not be printed too
    if weights is not None:
        options.add_session_config_entry(ORT_FOLDER_OPTION, str(weights))
    for name, value in _stamped_settings(model).items():
        options.add_session_config_entry(name, value)
    source = model if isinstance(model, bytes) else str(model)
    try:
        session = ort.InferenceSession(source, options, providers=[wanted])
    except ort_errors() as error:
        raise ExportError(f"ONNX Runtime cannot load the model: {error}") from error
    if session.get_providers()[0] != wanted:
        raise ExportError(
            f"ONNX Runtime cannot use {wanted} and fell back to {session.get_providers()[0]}, "
            "which this test is not about. Check the driver with nvidia-smi, and check the "
            "versions of CUDA and cuDNN: onnxruntime-gpu states the ones that it needs."
        )
    return session


def _stamped_settings(model: Path | bytes) -> dict[str, str]:
    """Return the session's settings in the metadata of a model; none if there is no ONNX model."""
    if isinstance(model, Path) and not model.is_file():
        return {}
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(model if isinstance(model, bytes) else model.read_bytes())
    except DecodeError:
        return {}
    return session_settings({entry.key: entry.value for entry in proto.metadata_props})


def ort_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that ONNX Runtime raises for a model that it cannot load or run.

    They have no base class of their own, so these are all exceptions of its native module.
    """
    return tuple(
        each
        for each in vars(ort.capi.onnxruntime_pybind11_state).values()
        if isinstance(each, type) and issubclass(each, Exception)
    )


def compare_all(
    session: ort.InferenceSession,
    cases: Iterable[ParityCase],
    tolerance: Tolerance,
    report: Callable[[str], None],
) -> list[Outcome]:
    """Run every case, report on each, and return the outcomes.

    A case need not have every output of the model. An output that no case has is reported.

    Args:
        session: the model.
        cases: the inputs and the expected outputs.
        tolerance: how far floating-point values may differ.
        report: called with each line of the report.

    Raises:
        ExportError: nothing was compared, or a case does not suit the model.
    """
    outcomes = []
    outputs = [value.name for value in session.get_outputs()]
    compared: set[str] = set()
    for case in cases:
        compared |= case.outputs.keys()
        actual = run(session, case)
        judgement = judge(case, actual, tolerance)
        findings = judgement.findings
        outcomes.append(Outcome(case, findings, _errors(case.outputs, actual)))
        if findings:
            report(f"  {case.name}: FAILED")
            for finding in findings:
                report("    " + finding.replace("\n", "\n    "))
        else:
            closeness = "" if case.judge else f", {_closeness(outcomes[-1])}"
            report(f"  {case.name}: ok{closeness}")
        for line in judgement.lines:
            report(f"    {line}")
    if not compared:
        raise ExportError(
            "the reference gave no output to compare, so this test shows nothing. Let the "
            "reference yield cases that have outputs."
        )
    others = [name for name in outputs if name not in compared]
    if others:
        report(f"  not compared by this reference: {', '.join(others)}")
    return outcomes


def judge(case: ParityCase, actual: Mapping[str, np.ndarray], tolerance: Tolerance) -> Judgement:
    """Return how the outputs of a model compare with those of a case.

    Args:
        case: the case, which may compare in a way of its own.
        actual: the outputs of the model by name.
        tolerance: how far floating-point values may differ.
    """
    missing = [name for name in case.outputs if name not in actual]
    if case.judge is None or missing:
        return Judgement(tuple(compare(case.outputs, actual, tolerance)), ())
    return case.judge(case.outputs, actual, tolerance)


def compare(
    expected: Mapping[str, np.ndarray], actual: Mapping[str, np.ndarray], tolerance: Tolerance
) -> list[str]:
    """Return one finding for each expected output that does not agree.

    Args:
        expected: the outputs of the reference by name. They and the model's must be finite.
        actual: the outputs of the model by name.
        tolerance: how far floating-point values may differ.
    """
    findings = []
    for name, value in expected.items():
        if name not in actual:
            findings.append(f"{name}: the model has no such output, only {', '.join(actual)}")
        elif finding := difference(value, actual[name], tolerance, finite=True):
            findings.append(f"{name}: {finding}")
    return findings


def run(session: ort.InferenceSession, case: ParityCase) -> dict[str, np.ndarray]:
    """Return the outputs of a model for the inputs of a case, by name.

    Raises:
        ExportError: the inputs are not those of the model, or the model fails on them.
    """
    signature = runtime.input_types(session)
    problems = [f"{name} is missing" for name in sorted(signature.keys() - case.inputs.keys())]
    problems += [
        f"{name} is not an input" for name in sorted(case.inputs.keys() - signature.keys())
    ]
    for name, value in case.inputs.items():
        wanted = signature.get(name, value.dtype)
        if wanted != value.dtype:
            problems.append(f"{name} is {value.dtype.name}, but the model takes {wanted.name}")
    if problems:
        raise ExportError(f"case {case.name} does not suit the model: {'; '.join(problems)}.")
    try:
        return runtime.run(session, case.inputs)
    except ort_errors() as error:
        raise ExportError(f"ONNX Runtime fails on case {case.name}: {error}") from error


def _errors(
    expected: Mapping[str, np.ndarray], actual: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Return the largest absolute error of each output that can be compared, by name."""
    return {
        name: float(absolute_error(value, actual[name]).max(initial=0))
        for name, value in expected.items()
        if name in actual
        and value.dtype == actual[name].dtype
        and value.shape == actual[name].shape
        and value.dtype.kind in "biufcV"  # V: bfloat16 and narrower types
    }


def _closeness(outcome: Outcome) -> str:
    """Return how close the outputs of a case that agrees came to the expected ones."""
    return ", ".join(
        f"{name} equal"
        if is_exact(value.dtype) or not value.size
        else f"{name} within {outcome.errors[name]:.2g}"
        for name, value in outcome.case.outputs.items()
    )
