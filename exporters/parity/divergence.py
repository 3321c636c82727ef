"""Finding the module of a model at which its artifact and JAX begin to differ.

A value that a module computes is named ``<module>/output`` in the artifact, and JAX computes the
same value (``jax2onnx.models.module_outputs``). The first module whose values differ is the place
to look for the fault: everything before it agrees.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir

from exporters import functions
from exporters.artifact.bind import load
from exporters.model.exportable import Exportable, ParityCase
from exporters.parity.compare import open_session, run
from exporters.parity.definition import ParityTest
from jax2onnx.checks.comparison import Tolerance, difference
from jax2onnx.models import OUTPUT_SUFFIX, module_outputs
from weights import Checkpoint


def explain(test: ParityTest, checkpoint: Checkpoint, data: Path, case: ParityCase) -> str:
    """Return one or more lines that say at which module the artifact first differs from JAX.

    Args:
        test: the test that failed.
        checkpoint: the weights of the artifact.
        data: the folder of the artifact's external data.
        case: the case that failed.
    """
    exportable: Exportable = functions.call(
        functions.find(test.exporter, "exporter"), test.exporter, [checkpoint], test.options
    )
    actual = artifact_values(test, data, case)
    expected = jax_values(exportable, checkpoint, case)
    modules = [module for module in actual if module in expected]
    for number, module in enumerate(modules):
        errors = _errors(expected[module], actual[module], test.tolerance)
        if errors is not None:
            before = f"; {modules[number - 1]}, before it, agrees" if number else ""
            indented = errors.replace("\n", "\n    ")
            return f"  the artifact and JAX first differ at {module}{before}\n    {indented}"
    return (
        f"  the artifact and JAX agree at all {len(modules)} modules that were compared. Either "
        "the model differs after the last of them, or the reference differs from the JAX model."
    )


def artifact_values(test: ParityTest, data: Path, case: ParityCase) -> dict[str, np.ndarray]:
    """Return what each module computes in the artifact, by module, in the order of the graph.

    Args:
        test: the test that names artifact and execution provider.
        data: the folder of the artifact's external data.
        case: the inputs.
    """
    model = ir.load(test.model)
    values = [
        value
        for node in model.graph
        for value in node.outputs
        if value.name and value.name.endswith(OUTPUT_SUFFIX) and not value.is_graph_output()
    ]
    model.graph.outputs.extend(values)
    session = open_session(ir.to_proto(model).SerializeToString(), test.provider, data)
    results = run(session, case)
    return {str(v.name).removesuffix(OUTPUT_SUFFIX): results[str(v.name)] for v in values}


def jax_values(
    exportable: Exportable, checkpoint: Checkpoint, case: ParityCase
) -> dict[str, np.ndarray]:
    """Return what each module computes in JAX, by module, in the order of the computation.

    Args:
        exportable: the model.
        checkpoint: its weights.
        case: the inputs.
    """
    model = load(exportable.model, exportable.parameters, checkpoint)
    return module_outputs(model, [case.inputs[name] for name in exportable.input_names])


def _errors(expected: np.ndarray, actual: np.ndarray, tolerance: Tolerance) -> str | None:
    """Return how the values of two arrays differ, whatever their dtypes.

    The artifact may compute in a wider type than JAX, and may see a tensor as a matrix of its last
    axis. Masks hold infinities, which agree with themselves.
    """
    wanted, given = expected.astype(np.float64), actual.astype(np.float64)
    if wanted.size == given.size:
        given = given.reshape(wanted.shape)
    return difference(wanted, given, tolerance)
