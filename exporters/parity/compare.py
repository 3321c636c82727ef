"""Holds an artifact, run by ONNX Runtime, against the outputs that a reference computed.

A case agrees when every output has the expected name, dtype and shape, only finite values, and each
value within `atol + rtol * |expected|`; integers and booleans must be equal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from exporters.artifact.exportable import ParityCase
from exporters.artifact.summary import ORT_FOLDER_OPTION
from exporters.errors import ExportError
from jax2onnx.checks import runtime

PROVIDERS: Mapping[str, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


@dataclass(frozen=True)
class Tolerance:
    """The largest difference that passes: `atol + rtol * |expected|`."""

    atol: float
    rtol: float


@dataclass(frozen=True)
class Disagreement:
    """A case that failed, and why: one entry an output, each of one or more lines."""

    case: ParityCase
    findings: tuple[str, ...]


def open_session(
    model: Path | bytes, provider: str, weights: Path | None = None
) -> ort.InferenceSession:
    """A session of the model on exactly that provider, its weights read in place from `weights`.

    Raises:
        ExportError: the provider is unknown, not in this build of ONNX Runtime, or was given up by
            it in silence; or the model does not load.
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
        ort.preload_dlls()  # where pip installed CUDA and cuDNN, no loader looks for them
    options = ort.SessionOptions()
    options.log_severity_level = 3
    if weights is not None:
        options.add_session_config_entry(ORT_FOLDER_OPTION, str(weights))
    source = model if isinstance(model, bytes) else str(model)
    try:
        session = ort.InferenceSession(source, options, providers=[wanted])
    except ort_errors() as error:
        raise ExportError(f"ONNX Runtime does not load the model: {error}") from error
    if session.get_providers()[0] != wanted:
        raise ExportError(
            f"ONNX Runtime gave up {wanted} and would run on {session.get_providers()[0]} instead, "
            "which would test nothing. Check the driver with nvidia-smi, and that CUDA and cuDNN "
            "are of the versions that onnxruntime-gpu asks for."
        )
    return session


def ort_errors() -> tuple[type[Exception], ...]:
    """Every exception that ONNX Runtime raises for a model that it can't load or run.

    They have no base class of their own; they are the exceptions that its native module defines.
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
) -> list[Disagreement]:
    """Runs every case, reports a line or more on each, and returns those that disagree.

    A case may leave outputs of the model out; one that no case has is reported.

    Raises:
        ExportError: nothing was compared, or a case does not suit the model.
    """
    failed = []
    outputs = [value.name for value in session.get_outputs()]
    held: set[str] = set()
    for case in cases:
        held |= case.outputs.keys()
        actual = run(session, case)
        findings = compare(case.outputs, actual, tolerance)
        if findings:
            failed.append(Disagreement(case, tuple(findings)))
            report(f"  {case.name}: FAILED")
            for finding in findings:
                report("    " + finding.replace("\n", "\n    "))
        else:
            report(f"  {case.name}: ok, {_closeness(case.outputs, actual)}")
    if not held:
        raise ExportError("the reference gave no output to compare, so this test holds nothing.")
    unheld = [name for name in outputs if name not in held]
    if unheld:
        report(f"  not held by this reference: {', '.join(unheld)}")
    return failed


def compare(
    expected: Mapping[str, np.ndarray], actual: Mapping[str, np.ndarray], tolerance: Tolerance
) -> list[str]:
    """What is wrong with each expected output; empty when all agree."""
    findings = []
    for name, value in expected.items():
        if name not in actual:
            findings.append(f"{name}: the model has no such output, only {', '.join(actual)}")
        elif finding := difference(value, actual[name], tolerance):
            findings.append(f"{name}: {finding}")
    return findings


def difference(expected: np.ndarray, actual: np.ndarray, tolerance: Tolerance) -> str | None:
    """What is wrong with one array: how many values, how far, and where. None when it agrees."""
    if expected.dtype != actual.dtype or expected.shape != actual.shape:
        return f"expected {_described(expected)}, the model gives {_described(actual)}"
    if expected.dtype.kind in "biuSUO":
        wrong = expected != actual
        if not wrong.any():
            return None
        at = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        return (
            f"{np.count_nonzero(wrong)} of {wrong.size} values differ, the first at {_index(at)}: "
            f"expected {expected[at]}, the model gives {actual[at]}"
        )
    wide, got = _wide(expected), _wide(actual)
    for whose, values in (("the reference", wide), ("the model", got)):
        finite = np.isfinite(values)
        if not finite.all():
            at = np.unravel_index(int(np.argmin(finite)), finite.shape)
            return (
                f"{np.count_nonzero(~finite)} of {finite.size} values of {whose} are not finite, "
                f"the first at {_index(at)}: {values[at]}"
            )
    absolute = np.abs(got - wide)
    wrong = absolute > tolerance.atol + tolerance.rtol * np.abs(wide)
    if not wrong.any():
        return None
    limit = f"{tolerance.atol:g} + {tolerance.rtol:g} * |expected|"
    lines = [f"{np.count_nonzero(wrong)} of {wrong.size} values differ by more than {limit}"]
    for kind, errors in (("absolute", absolute), ("relative", _relative(absolute, wide))):
        at = np.unravel_index(int(np.argmax(errors)), errors.shape)
        lines.append(
            f"  largest {kind} error {errors[at]:.3g} at {_index(at)}: "
            f"expected {wide[at]:.9g}, the model gives {got[at]:.9g}"
        )
    return "\n".join(lines)


def run(session: ort.InferenceSession, case: ParityCase) -> dict[str, np.ndarray]:
    """The outputs of the session for the inputs of a case, by name.

    Raises:
        ExportError: the inputs are not those of the model, or it fails on them.
    """
    signature = runtime.input_types(session)
    problems = [f"{name} is missing" for name in sorted(signature.keys() - case.inputs.keys())]
    problems += [
        f"{name} is no input of it" for name in sorted(case.inputs.keys() - signature.keys())
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


def _closeness(expected: Mapping[str, np.ndarray], actual: Mapping[str, np.ndarray]) -> str:
    """How close the outputs of a passing case came."""
    parts = []
    for name, value in expected.items():
        if value.dtype.kind in "biuSUO" or not value.size:
            parts.append(f"{name} equal")
        else:
            absolute = np.abs(_wide(actual[name]) - _wide(value))
            parts.append(f"{name} within {absolute.max():.2g}")
    return ", ".join(parts)


def _relative(absolute: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Zero where there is no error, infinite where zero was expected and missed."""
    scale = np.abs(expected)
    ratio = np.full_like(absolute, np.inf)
    np.divide(absolute, scale, out=ratio, where=scale > 0)
    return np.where(absolute == 0, 0.0, ratio)


def _wide(array: np.ndarray) -> np.ndarray:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _described(array: np.ndarray) -> str:
    return f"{array.dtype.name}{list(array.shape)}"


def _index(at: Sequence[Any]) -> str:
    return json.dumps([int(i) for i in at])
