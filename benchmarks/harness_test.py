from __future__ import annotations

import importlib
import sys
from functools import partial
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from benchmarks import yardsticks
from benchmarks.__main__ import FIGURES, arguments
from benchmarks.comparison import Contender, operators
from benchmarks.processes import JOBS, BenchmarkError, Finished, in_turns, run, run_ours
from benchmarks.report import megabytes, spread
from benchmarks.settings import Settings


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_a_module(name: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.figures.{name}").run_figure)


def test_measurements_alternate() -> None:
    order: list[str] = []
    results = in_turns(2, {name: partial(order.append, name) for name in "ab"})
    assert order == ["a", "b", "a", "b"]
    assert results == {"a": [None, None], "b": [None, None]}


def test_time_and_memory_are_those_of_the_process(tmp_path: Path) -> None:
    code = "import json; x = bytearray(200_000_000); print('{\"a\": 1}')"
    finished = run([sys.executable, "-c", code], tmp_path)
    assert 200e6 < finished.peak < 400e6
    assert finished.cpu > 0
    assert finished.result == {"a": 1}


def test_the_memory_of_this_process_does_not_count(tmp_path: Path) -> None:
    mine = bytearray(b"x") * 300_000_000
    assert run([sys.executable, "-c", ""], tmp_path).peak < len(mine)


def test_a_process_that_fails_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="no such thing"):
        run([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path)


def test_medians_come_first() -> None:
    assert spread([3.0, 1.0, 2.0]) == "2.00 (1.00)"
    assert megabytes(9_920_000) == "9.92"
    assert megabytes(342_662_192) == "343"


def test_operators_of_a_function_count_for_each_call(tmp_path: Path) -> None:
    body = [helper.make_node("Neg", ["x"], ["t"]), helper.make_node("Exp", ["t"], ["y"])]
    opset = helper.make_opsetid("", 23)
    function = helper.make_function("own", "F", ["x"], ["y"], body, [opset])
    value = partial(helper.make_tensor_value_info, elem_type=TensorProto.FLOAT, shape=[1])
    branch = helper.make_graph(
        [helper.make_node("F", ["b"], ["c"], domain="own")], "g", [], [value("c")]
    )
    condition = helper.make_tensor("value", TensorProto.BOOL, [], [1])
    nodes = [
        helper.make_node("F", ["a"], ["b"], domain="own"),
        helper.make_node("Constant", [], ["true"], value=condition),
        helper.make_node("If", ["true"], ["d"], then_branch=branch, else_branch=branch),
    ]
    graph = helper.make_graph(nodes, "g", [value("a")], [value("d")])
    model = helper.make_model(
        graph, functions=[function], opset_imports=[opset, helper.make_opsetid("own", 1)]
    )
    onnx.save(model, tmp_path / "model.onnx")
    assert operators(tmp_path / "model.onnx") == 2 + 1 + 1 + 2 * 2


def test_the_size_includes_external_data_and_referenced_weights(tmp_path: Path) -> None:
    def export() -> Finished:
        raise AssertionError

    artifact = tmp_path / "model.onnx"
    artifact.write_bytes(bytes(1_000_000))
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "model.safetensors").write_bytes(bytes(2_000_000))
    assert Contender(export, artifact, tmp_path / "w").size == "1 + 2 by reference"
    (tmp_path / "model.onnx.data").write_bytes(bytes(4_000_000))
    assert Contender(export, artifact).size == "5"


@pytest.mark.parametrize("job", ["trace_one.py", "convert_one.py"])
def test_the_jobs_of_the_first_conversion_run(job: str, tmp_path: Path) -> None:
    assert run_ours([JOBS / job], tmp_path).output == ""


def test_every_step_of_a_conversion_is_measured(tmp_path: Path) -> None:
    result = run_ours([JOBS / "convert_steps.py", "100"], tmp_path).result
    assert result["equations"] == 100
    assert all(result[step] > 0 for step in ("trace", "lower", "rewrite", "legalise", "write"))


def test_an_existing_environment_is_reused(tmp_path: Path) -> None:
    interpreter = tmp_path / "torch" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    interpreter.touch()
    assert yardsticks.python("torch", tmp_path) == interpreter
    assert Settings(tmp_path, 1, 1, None).yardstick("torch") is None


def test_all_figures_are_measured_by_default() -> None:
    assert arguments().parse_args([]).figure == []
    assert arguments().parse_args(["vit", "--runs", "3"]).figure == ["vit"]
