"""Finds the first module of a model at which its artifact and JAX part.

The converter names the last value that a module computes with parameters of its own
`<module>/output` (`layers.1.attention.o/output`). Those values become outputs of the artifact, the
same equations of the traced model are evaluated one by one in JAX, and the two are compared in the
order in which the artifact computes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import onnx_ir as ir
from jax.extend import core

from exporters import functions
from exporters.artifact import bind as binding
from exporters.artifact.exportable import Exportable, ParityCase
from exporters.parity.compare import Tolerance, difference, open_session, run
from jax2onnx import InputSpec
from jax2onnx.trace import Traced, trace
from jax2onnx.trace.naming.modules import ModuleTracker
from weights import Checkpoint

if TYPE_CHECKING:
    from exporters.parity.hold import Test

_SUFFIX = "/output"
_CALLS = {
    "jit": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "checkpoint": "jaxpr",
}
"""Primitives that do no more than call the jaxpr in that param."""


def explain(test: Test, checkpoint: Checkpoint, case: ParityCase) -> str:
    """One or more lines: at which module the artifact first leaves JAX, and how far."""
    exportable: Exportable = functions.call(
        functions.find(test.exporter, "exporter"), test.exporter, [checkpoint], test.options
    )
    actual = artifact_values(test, checkpoint, case)
    expected = jax_values(exportable, checkpoint, case)
    modules = [module for module in actual if module in expected]
    tolerance = Tolerance(test.atol, test.rtol)
    for number, module in enumerate(modules):
        errors = _errors(expected[module], actual[module], tolerance)
        if errors is not None:
            before = f"; {modules[number - 1]}, before it, agrees" if number else ""
            return f"  the artifact and JAX first part at {module}{before}\n    " + errors.replace(
                "\n", "\n    "
            )
    return (
        f"  no module parts the artifact and JAX: all {len(modules)} that were compared agree. "
        "What follows the last of them differs, or the reference differs from the JAX model."
    )


def _errors(expected: np.ndarray, actual: np.ndarray, tolerance: Tolerance) -> str | None:
    """As `difference`, but of values alone.

    The runtime may compute in a wider type than JAX and see a tensor as a matrix of its last axis,
    and masks hold infinities.
    """
    wanted, got = expected.astype(np.float64), actual.astype(np.float64)
    if wanted.size == got.size:
        got = got.reshape(wanted.shape)
    if wanted.shape == got.shape:
        alike = ~np.isfinite(wanted) & ((wanted == got) | (np.isnan(wanted) & np.isnan(got)))
        wanted, got = np.where(alike, 0, wanted), np.where(alike, 0, got)
    return difference(wanted, got, tolerance)


def artifact_values(test: Test, checkpoint: Checkpoint, case: ParityCase) -> dict[str, np.ndarray]:
    """What each module computes in the artifact, by module, in the order of the graph."""
    model = ir.load(test.model)
    values = [
        value
        for node in model.graph
        for value in node.outputs
        if value.name and value.name.endswith(_SUFFIX) and not value.is_graph_output()
    ]
    model.graph.outputs.extend(values)
    session = open_session(ir.to_proto(model).SerializeToString(), test.provider, checkpoint.folder)
    results = run(session, case)
    return {str(v.name).removesuffix(_SUFFIX): results[str(v.name)] for v in values}


def jax_values(
    exportable: Exportable, checkpoint: Checkpoint, case: ParityCase
) -> dict[str, np.ndarray]:
    """What each module computes in JAX, by module."""
    model = binding.load(exportable.model, exportable.parameters, checkpoint)
    arrays = [case.inputs[name] for name in exportable.input_names]
    traced = trace(model, [InputSpec(array.shape, array.dtype) for array in arrays])
    return _Interpreter().values(traced, arrays)


class _Interpreter:
    """Evaluates a jaxpr equation by equation and keeps what each module computes."""

    def __init__(self) -> None:
        self._taps: dict[str, np.ndarray] = {}

    def values(self, traced: Traced, inputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        arguments = [jax.numpy.asarray(p.value) for p in traced.parameters]
        arguments += [
            jax.numpy.asarray(array, spec.aval.dtype)
            for array, spec in zip(inputs, traced.inputs, strict=True)
        ]
        paths = [p.path for p in traced.parameters] + [""] * len(inputs)
        self._evaluate(traced.jaxpr, traced.consts, arguments, paths)
        return self._taps

    def _evaluate(
        self,
        jaxpr: core.Jaxpr,
        consts: Sequence[Any],
        arguments: Sequence[Any],
        paths: Sequence[str],
    ) -> list[Any]:
        environment: dict[core.Var, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
        environment |= zip(jaxpr.invars, arguments, strict=True)
        tracker = ModuleTracker((v, p) for v, p in zip(jaxpr.invars, paths, strict=True) if p)

        def read(variable: core.Var | core.Literal) -> Any:
            return variable.val if isinstance(variable, core.Literal) else environment[variable]

        for eqn in jaxpr.eqns:
            module, consumes = tracker.enter(eqn)
            operands = [read(variable) for variable in eqn.invars]
            results = self._apply(eqn, operands, tracker.paths(eqn.invars))
            environment |= zip(eqn.outvars, results, strict=True)
            if consumes:
                self._taps[module] = np.asarray(results[-1])
        return [read(variable) for variable in jaxpr.outvars]

    def _apply(self, eqn: core.JaxprEqn, operands: list[Any], paths: Sequence[str]) -> list[Any]:
        name = eqn.primitive.name
        if name in _CALLS:
            called = eqn.params[_CALLS[name]]
            inner = called.jaxpr if isinstance(called, core.ClosedJaxpr) else called
            consts = called.consts if isinstance(called, core.ClosedJaxpr) else ()
            return self._evaluate(inner, consts, operands, paths)
        parameters = eqn.primitive.get_bind_params(eqn.params)
        result = eqn.primitive.bind(*operands, **parameters)
        return list(result) if eqn.primitive.multiple_results else [result]
