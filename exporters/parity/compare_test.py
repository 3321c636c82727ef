from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from exporters.errors import ExportError
from exporters.model.exportable import ParityCase
from exporters.parity import compare
from jax2onnx.checks.comparison import Tolerance

TOLERANCE = Tolerance(1e-3, 1e-2)


def scale(dtype: ir.DataType = ir.DataType.FLOAT, operator: str = "Add", outputs: int = 1) -> bytes:
    """Return a model of ``y = x + x``, with ``outputs`` equal outputs ``y``, ``y_1``, ..."""
    kind = ir.TensorType(dtype)
    x = ir.Value(name="x", type=kind, shape=ir.Shape(["N"]))
    nodes = [ir.node(operator, [x, x] if operator == "Add" else [x]) for _ in range(outputs)]
    for number, node in enumerate(nodes):
        y = node.outputs[0]
        y.name, y.type, y.shape = f"y_{number}" if number else "y", kind, ir.Shape(["N"])
    results = [node.outputs[0] for node in nodes]
    graph = ir.Graph([x], results, nodes=nodes, opset_imports={"": 21}, name="g")
    message: bytes = ir.to_proto(ir.Model(graph, ir_version=10)).SerializeToString()
    return message


def case(expected: np.ndarray, **inputs: np.ndarray) -> ParityCase:
    given = inputs or {"x": np.array([1.0, 2.0, 0.0], np.float32)}
    return ParityCase("one", given, {"y": expected})


def findings(*cases: ParityCase, model: bytes | None = None) -> tuple[list[str], str]:
    lines: list[str] = []
    session = compare.open_session(model or scale(), "cpu")
    failed = compare.compare_all(session, cases, TOLERANCE, lines.append)
    return [finding for each in failed for finding in each.findings], "\n".join(lines)


def test_agreement_reports_the_bound() -> None:
    failed, text = findings(case(np.array([2.001, 4, 0], np.float32)))
    assert not failed
    assert text == "  one: ok, y within 0.001"


def test_disagreement_reports_size_and_position() -> None:
    failed, text = findings(case(np.array([2, 5, 0.01], np.float32)))
    assert "\n".join(failed) == (
        "y: 2 of 3 values differ by more than 0.001 + 0.01 * |expected|\n"
        "  largest absolute error 1 at [1]: expected 5, the model gives 4\n"
        "  largest relative error 1 at [2]: expected 0.00999999978, the model gives 0"
    )
    assert text == "  one: FAILED\n    " + failed[0].replace("\n", "\n    ")


@pytest.mark.parametrize(
    ("expected", "finding"),
    [
        (np.array([2, 4, 0], np.float64), "expected float64[3], the model gives float32[3]"),
        (np.array([[2, 4, 0]], np.float32), "expected float32[1, 3], the model gives float32[3]"),
        (
            np.array([2, np.nan, np.inf], np.float32),
            "2 of 3 values of the reference are not finite, the first at [1]: nan",
        ),
    ],
)
def test_arrays_that_cannot_be_compared_fail(expected: np.ndarray, finding: str) -> None:
    assert findings(case(expected))[0] == [f"y: {finding}"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_results_that_are_not_finite_fail(value: float) -> None:
    given = np.array([1, value], np.float32)
    failed, _ = findings(case(np.array([2, 0], np.float32), x=given))
    assert failed == [f"y: 1 of 2 values of the model are not finite, the first at [1]: {value}"]


def test_integers_must_be_equal() -> None:
    given = np.array([10_000, 7], np.int64)
    failed, _ = findings(
        case(np.array([20_000, 15], np.int64), x=given), model=scale(ir.DataType.INT64)
    )
    assert failed == ["y: 1 of 2 values differ, the first at [1]: expected 15, the model gives 14"]


def test_equal_integers_and_empty_outputs_are_reported_as_equal() -> None:
    for kind, dtype in ((np.int64, ir.DataType.INT64), (np.float32, ir.DataType.FLOAT)):
        x = np.zeros(0 if kind is np.float32 else 2, kind)
        failed, text = findings(case(x, x=x), model=scale(dtype))
        assert not failed
        assert text == "  one: ok, y equal"


def test_an_empty_output_has_no_error() -> None:
    x = np.zeros(0, np.float32)
    session = compare.open_session(scale(), "cpu")
    (outcome,) = compare.compare_all(session, [case(x, x=x)], TOLERANCE, lambda _: None)
    assert outcome.errors == {"y": 0.0}


def test_an_output_that_the_model_lacks_fails() -> None:
    x = np.ones(1, np.float32)
    failed, _ = findings(ParityCase("one", {"x": x}, {"y": x * 2, "z": x}))
    assert failed == ["z: the model has no such output, only y"]


def test_an_output_that_no_case_has_is_reported() -> None:
    x = np.ones(1, np.float32)
    whole, part = ParityCase("one", {"x": x}, {"y": x * 2}), ParityCase("two", {"x": x}, {})
    assert "not compared" not in findings(whole, part)[1]
    model = scale(outputs=2)
    assert "not compared by this reference: y_1" in findings(whole, model=model)[1]


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"x": np.ones(1, np.int32)}, "x is int32, but the model takes float32"),
        ({"q": np.ones(1, np.float32)}, "x is missing; q is not an input"),
    ],
)
def test_unsuitable_inputs_are_named(inputs: dict[str, np.ndarray], problem: str) -> None:
    with pytest.raises(ExportError, match=problem):
        findings(ParityCase("one", inputs, {"y": np.ones(1, np.float32)}))


def test_wrong_shapes_are_reported_with_onnx_runtimes_message() -> None:
    with pytest.raises(ExportError, match=r"ONNX Runtime fails on case one: .*x"):
        findings(ParityCase("one", {"x": np.ones((1, 2), np.float32)}, {}))


def test_a_test_without_cases_fails() -> None:
    with pytest.raises(ExportError, match="shows nothing"):
        findings()


def test_bfloat16_inputs_and_outputs() -> None:
    x = np.array([1.5, -3], ml_dtypes.bfloat16)
    model = scale(ir.DataType.BFLOAT16, "Transpose")
    assert findings(ParityCase("one", {"x": x}, {"y": x}), model=model)[0] == []
    failed, _ = findings(ParityCase("one", {"x": x}, {"y": x * 2}), model=model)
    assert "largest absolute error 3 at [1]: expected -6, the model gives -3" in failed[0]


def test_weights_are_found_in_their_folder(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "w.bin").write_bytes(np.array([0, 5], np.float32).tobytes())
    tensor = ir.ExternalTensor("w.bin", 4, 4, ir.DataType.FLOAT, shape=ir.Shape([1]), name="w")
    weight = ir.Value(name="w", const_value=tensor)
    node = ir.node("Identity", [weight])
    y = node.outputs[0]
    y.name, y.type, y.shape = "y", ir.TensorType(ir.DataType.FLOAT), ir.Shape([1])
    graph = ir.Graph([], [y], nodes=[node], initializers=[weight], opset_imports={"": 21}, name="g")
    model = tmp_path / "model" / "m.onnx"
    model.parent.mkdir()
    model.write_bytes(ir.to_proto(ir.Model(graph, ir_version=10)).SerializeToString())
    session = compare.open_session(model, "cpu", tmp_path / "weights")
    expected = ParityCase("one", {}, {"y": np.array([5], np.float32)})
    (outcome,) = compare.compare_all(session, [expected], TOLERANCE, lambda _: None)
    assert not outcome.findings
    assert outcome.errors.keys() == expected.outputs.keys()
    with pytest.raises(ExportError, match="cannot load the model"):
        compare.open_session(model, "cpu")


def test_a_model_cannot_ask_for_any_setting() -> None:
    model = onnx.load_from_string(scale())
    onnx.helper.set_model_props(model, {"onnxruntime:ep.context_file_path": "elsewhere"})
    with pytest.raises(ExportError, match=r"asks .* for the setting 'ep.context_file_path'"):
        compare.open_session(model.SerializeToString(), "cpu")


def test_unknown_provider() -> None:
    with pytest.raises(ExportError, match="no execution provider 'tpu'"):
        compare.open_session(scale(), "tpu")


def test_provider_that_the_installed_runtime_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ExportError, match=r"has no CUDA.*, only CPU.*`cuda` resolve"):
        compare.open_session(scale(), "cuda")


def test_a_silent_fallback_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    class FellBack:
        def __init__(self, *_: object, **__: object) -> None: ...

        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    preloaded = []
    monkeypatch.setattr(ort, "preload_dlls", lambda: preloaded.append(True))
    compare.open_session(scale(), "cpu")
    assert not preloaded
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(ort, "InferenceSession", FellBack)
    with pytest.raises(ExportError, match="cannot use CUDAExecutionProvider and fell back"):
        compare.open_session(scale(), "cuda")
    assert preloaded == [True]  # CUDA's libraries are loaded first.
