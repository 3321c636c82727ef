"""Judges one case of JAX's harness: does the model that it is converted to compute the same?

A case passes when the checker accepts the model, ONNX Runtime's CPU provider runs it, and shapes,
dtypes and values agree with those of JAX, called without compilation. A case that JAX itself does
not run says nothing about the converter.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import jax
import numpy as np
import onnx
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state

from jax2onnx import to_onnx
from jax2onnx.checks.allclose import packed
from jax2onnx.checks.runtime import input_types, run
from jax2onnx.errors import Jax2OnnxError
from tests.primitives.agreement import agree
from tests.primitives.cases import Array, Case
from tests.primitives.tolerances import DisagreementError

ERRORS: tuple[type[Exception], ...] = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError),
    *(RuntimeError, TypeError, ValueError),
)
"""What JAX and the converter may fail with, by intention or by mistake."""

RUNTIME_ERRORS = tuple(
    error
    for error in vars(state).values()
    if isinstance(error, type) and issubclass(error, Exception)
)
"""What ONNX Runtime raises has no base class."""


class Stage(Enum):
    """Where a case ended."""

    PASSED = "passed"
    JAX = "JAX does not run it"
    REFUSED = "refused"
    CONVERSION = "conversion"
    CHECKER = "checker"
    LOADING = "loading"
    RUNNING = "running"
    RESULT = "result"
    """It runs, and gives something else than JAX does."""


@dataclass(frozen=True)
class Verdict:
    """How far a case came, and what stopped it there."""

    stage: Stage
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.stage.value}: {self.reason}" if self.reason else self.stage.value


def judge(case: Case) -> Verdict:
    """Runs a case in JAX and on ONNX Runtime."""
    with warnings.catch_warnings(), jax.enable_x64(case.double):
        warnings.simplefilter("ignore")  # of the harness itself
        arguments = case.arguments()
        try:
            results = jax.tree_util.tree_leaves(case(*arguments))
            wanted = [np.asarray(result) for result in results]
        except ERRORS as error:
            return _verdict(Stage.JAX, error)
        return _converted(case, arguments, wanted)


def _converted(case: Case, arguments: Sequence[Array], wanted: Sequence[Array]) -> Verdict:
    try:
        model = to_onnx(case, arguments, enable_double_precision=case.double)
    except Jax2OnnxError as error:
        return _verdict(Stage.REFUSED, error)
    except ERRORS as error:
        return _verdict(Stage.CONVERSION, error)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        return _verdict(Stage.CHECKER, error)
    try:
        session = load(model)
    except RUNTIME_ERRORS as error:
        return _verdict(Stage.LOADING, error)
    inputs = input_types(session).items()
    feeds = {
        name: packed(argument).astype(dtype, copy=False)
        for (name, dtype), argument in zip(inputs, arguments, strict=True)
    }
    try:
        found = list(run(session, feeds).values())
    except RUNTIME_ERRORS as error:
        return _verdict(Stage.RUNNING, error)
    try:
        agree(case, arguments, wanted, found)
    except DisagreementError as error:
        return _verdict(Stage.RESULT, error)
    return Verdict(Stage.PASSED)


def load(model: onnx.ModelProto) -> Any:
    """A session of one thread on the CPU provider, which keeps its warnings to itself."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _verdict(stage: Stage, error: Exception) -> Verdict:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return Verdict(stage, " ".join([f"{type(error).__name__}:", *lines[:2]])[:300])
