"""Convert a model, run it on ONNX Runtime, and compare the results with JAX.

The exporter is a parameter, and nothing else is imported from a package ``jax2onnx``: the public
exporter has the same import name as this repository's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import onnx
import onnxruntime

from benchmarks.comparison import count
from tests.primitives.closeness import same_types, within
from tests.zoo.model import Model
from tests.zoo.outcome import Outcome, Stage


class Attempt:
    """An attempt to convert a model, which records how far it has come.

    Args:
        model: the model.
        to_onnx: the function that converts it.
        entered: called at the start of each stage with its name.
    """

    def __init__(
        self,
        model: Model,
        to_onnx: Callable[..., Any],
        entered: Callable[[Stage], None] = lambda stage: None,
    ) -> None:
        self.model = model
        self.to_onnx = to_onnx
        self.entered = entered
        self.stage: Stage = "jax"
        self.operators: int | None = None
        self.seconds: float | None = None

    def run(self) -> None:
        """Run all stages; an error is the verdict on the stage at which it is raised."""
        self._enter("jax")
        arrays = self.model.arrays()
        with jax.enable_x64(self.model.double), self.model.context():
            fn = self.model.make()
            wanted = [_packed(np.asarray(each)) for each in self._results(fn, arrays)]
            self._enter("convert")
            proto = self._converted(fn, arrays)
        self._enter("check")
        onnx.checker.check_model(proto, full_check=True)
        self._enter("run")
        found = _outputs(proto, [_packed(each) for each in arrays])
        self._enter("compare")
        same_types(wanted, found)
        for number, (want, got) in enumerate(zip(wanted, found, strict=True)):
            exact = want.dtype.kind in "biu"
            within(None if exact else self.model.limit, f"output {number}", want, got)
        self._enter("done")

    def outcome(self, reason: str) -> Outcome:
        """Return the outcome, with the error that ended the attempt, if one did."""
        measured = self.operators, self.seconds
        return Outcome(self.model.name, self.stage, reason, *measured, self.model.failure)

    def _enter(self, stage: Stage) -> None:
        self.stage = stage
        self.entered(stage)

    def _results(self, fn: Callable[..., Any], arrays: list[Any]) -> list[Any]:
        """Return the outputs in JAX of a callable, which may be a module that has no hash."""

        def call(*given: Any) -> Any:
            return fn(*given)

        run = jax.jit(call) if self.model.compiled else call
        return jax.tree.leaves(run(*map(jax.numpy.asarray, arrays)))

    def _converted(self, fn: Callable[..., Any], arrays: list[Any]) -> onnx.ModelProto:
        shapes = zip(self.model.shapes(), arrays, strict=True)
        specs = [jax.ShapeDtypeStruct(shape, array.dtype) for shape, array in shapes]
        start = time.process_time()
        proto = self.to_onnx(fn, specs, enable_double_precision=self.model.double)
        self.seconds = time.process_time() - start
        self.operators = count(proto)
        assert isinstance(proto, onnx.ModelProto)
        return proto


def _outputs(proto: onnx.ModelProto, arrays: list[Any]) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # The page has the errors; warnings would hide them.
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feeds = {}
    for value, array in zip(proto.graph.input, arrays, strict=True):
        dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        feeds[value.name] = array.astype(dtype, copy=False)
    outputs: list[Any] = session.run(None, feeds)
    return outputs


def _packed(array: Any) -> Any:
    """Return an array as both exporters pass it: complex numbers as pairs on a trailing axis."""
    return np.stack([array.real, array.imag], -1) if array.dtype.kind == "c" else array
