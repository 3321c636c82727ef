"""Judge whether a case of JAX's harness is converted to a model that computes the same.

A case passes when the checker accepts the model, ONNX Runtime's CPU provider runs it, and shapes,
dtypes and values agree with those of JAX without compilation. A case that JAX itself does not run
does not count.
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
"""The errors that JAX and the converter may raise, by intention or by mistake."""

RUNTIME_ERRORS = tuple(
    error
    for error in vars(state).values()
    if isinstance(error, type) and issubclass(error, Exception)
)
"""The errors of ONNX Runtime, which have no common base class."""


class Stage(Enum):
    """The stage at which a case passed or failed."""

    PASSED = "passed"
    JAX = "JAX does not run it"
    REFUSED = "refused"
    CONVERSION = "conversion"
    CHECKER = "checker"
    LOADING = "loading"
    RUNNING = "running"
    RESULT = "result"
    """The model runs, but its results differ from JAX's."""


@dataclass(frozen=True)
class Verdict:
    """The stage at which a case ended, and the error if it failed."""

    stage: Stage
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.stage.value}: {self.reason}" if self.reason else self.stage.value


def judge(case: Case) -> Verdict:
    """Run a case in JAX and on ONNX Runtime, and return the verdict."""
    with warnings.catch_warnings(), jax.enable_x64(case.double):
        warnings.simplefilter("ignore")  # The harness warns.
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
    """Return a session on the CPU provider with one thread and without warnings."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _verdict(stage: Stage, error: Exception) -> Verdict:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return Verdict(stage, " ".join([f"{type(error).__name__}:", *lines[:2]])[:300])
