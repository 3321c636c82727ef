"""Arrays of every type are passed to ONNX Runtime and back without a change."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import ml_dtypes
import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest

from jax2onnx.checks import runtime


def cast(given: ir.DataType, wanted: ir.DataType) -> ort.InferenceSession:
    """Return a session of a model that casts its input ``x`` to its output ``y``."""
    shape = ir.Shape(["M", "N"])
    x = ir.Value(name="x", type=ir.TensorType(given), shape=shape)
    node = ir.node("Cast", [x], {"to": wanted.value})
    y = node.outputs[0]
    y.name, y.type, y.shape = "y", ir.TensorType(wanted), shape
    graph = ir.Graph([x], [y], nodes=[node], opset_imports={"": 23}, name="g")
    model = ir.to_proto(ir.Model(graph, ir_version=10)).SerializeToString()
    return ort.InferenceSession(model, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    "dtype",
    [
        *("bool", "int8", "int64", "uint16", "float16", "float32", "float64"),
        *(ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2),
        *(ml_dtypes.int4, ml_dtypes.uint4),
    ],
)
@pytest.mark.parametrize("shape", [(2, 3), (1, 3), (0, 3)])
def test_inputs_and_outputs_of_every_type(dtype: Any, shape: tuple[int, int]) -> None:
    values = np.arange(1, 7, dtype=np.float32).reshape(2, 3)[: shape[0]]
    typed = values.astype(dtype)
    kind = ir.DataType.from_numpy(typed.dtype)
    into, out_of = cast(kind, ir.DataType.FLOAT), cast(ir.DataType.FLOAT, kind)
    assert runtime.input_types(into) == {"x": typed.dtype}
    np.testing.assert_array_equal(
        runtime.run(into, {"x": typed})["y"], typed.astype(np.float32), strict=True
    )
    np.testing.assert_array_equal(runtime.run(out_of, {"x": values})["y"], typed, strict=True)


@pytest.mark.parametrize("dtype", ["float32", ml_dtypes.bfloat16, ml_dtypes.int4])
def test_arrays_may_have_any_memory_order(dtype: Any) -> None:
    turned = np.arange(6, dtype=np.float32).reshape(2, 3).T.astype(dtype)
    session = cast(ir.DataType.from_numpy(turned.dtype), ir.DataType.FLOAT)
    found = runtime.run(session, {"x": turned})["y"]
    np.testing.assert_array_equal(found, turned.astype(np.float32))


def test_onnx_runtime_is_imported_only_when_something_runs() -> None:
    code = "import sys, jax2onnx, jax2onnx.checks.runtime; sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
