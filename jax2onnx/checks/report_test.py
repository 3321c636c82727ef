"""A report describes a model, and lists the nodes that ONNX Runtime cannot run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import pytest
from jax import Array, lax
from onnx import TensorProto, helper
from onnxruntime.capi import onnxruntime_pybind11_state as state

import jax2onnx
from jax2onnx import InputError, onnx_function, to_onnx
from jax2onnx.__main__ import main
from jax2onnx.legalise import missing_kernels
from jax2onnx.testing.rewriting import operator_counts

WEIGHTS = jnp.ones((30, 20))


@onnx_function
def block(x: Array, w: Array) -> Array:
    return jnp.tanh(x @ w) @ w.T


def model(x: Array) -> Any:
    return lax.fori_loop(0, 3, lambda i, y: block(y, WEIGHTS) + i, block(x, WEIGHTS))


def test_it_describes_the_model(tmp_path: Path) -> None:
    path = to_onnx(
        model, [("B", 30)], return_mode="file", output_path=tmp_path / "m.onnx", opset=21
    )
    found = jax2onnx.report(path)
    proto = onnx.load(path)
    assert found.opsets == {"": 21, "custom": 1}
    assert (found.producer, found.ir_version) == ("jax2onnx 0.1.0", proto.ir_version)
    assert (found.inputs, found.outputs) == ({"x": "FLOAT[B,30]"}, {"output": "FLOAT[B,30]"})
    assert found.functions == {"custom.block": 2}
    assert {**found.operators, "block": 2} == operator_counts(proto)
    arrays = [onnx.numpy_helper.to_array(t) for t in proto.graph.initializer]
    assert found.elements == sum(a.size for a in arrays)
    assert sum(found.weights.values()) == sum(a.nbytes for a in arrays)
    assert found.runs
    assert not found.files
    for part in ("x FLOAT[B,30]", "custom.block 2", "FLOAT 2.4 kB", "has a kernel for each node"):
        assert part in str(found)
    assert str(found) == str(jax2onnx.report(proto))


def test_it_gives_the_size_of_external_files(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    to_onnx(model, [(2, 30)], return_mode="file", output_path=path, external_data=True)
    weights = tmp_path / "m.onnx.safetensors"
    assert jax2onnx.report(path).files == {"m.onnx.safetensors": 2400}
    assert jax2onnx.report(path).runs
    weights.write_bytes(weights.read_bytes()[:-1])
    assert jax2onnx.report(path).missing_files == ("m.onnx.safetensors",)
    weights.unlink()
    found = jax2onnx.report(path)
    assert (found.files, found.runs) == ({"m.onnx.safetensors": 2400}, False)
    assert "m.onnx.safetensors 2.4 kB (not there)" in str(found)


def foreign(op_type: str, dtype: int, opset: int = 23, function: bool = False) -> Any:
    """Return a model without types of intermediate values, as other programs write them."""
    chain = [
        helper.make_node("Identity", ["a"], ["b"]),
        helper.make_node(op_type, ["b"], ["c"], name="culprit"),
        helper.make_node("Identity", ["c"], ["d"]),
    ]
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("local", 1)]
    functions = []
    if function:
        functions = [helper.make_function("local", "f", ["a"], ["d"], chain, opsets[:1])]
        chain = [helper.make_node("f", ["a"], ["d"], domain="local")]
    graph = helper.make_graph(
        chain,
        "g",
        [helper.make_tensor_value_info("a", dtype, [2])],
        [helper.make_tensor_value_info("d", dtype, [2])],
    )
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=10)


@pytest.mark.parametrize("function", [False, True])
@pytest.mark.parametrize("opset", [17, 23, 28])
@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.BFLOAT16])
@pytest.mark.parametrize("op_type", ["Erf", "Sin", "Neg", "Softplus"])
def test_it_lists_nodes_that_the_runtime_refuses(
    op_type: str, dtype: int, opset: int, function: bool
) -> None:
    proto = foreign(op_type, dtype, opset, function)
    try:
        onnxruntime.InferenceSession(proto.SerializeToString())
        runs = True
    except (state.Fail, state.InvalidGraph, state.NotImplemented):
        runs = False
    assert jax2onnx.report(proto).runs == runs


MODELS = sorted((Path(onnx.__file__).parent / "backend" / "test" / "data").glob("*/*/model.onnx"))


def test_it_agrees_with_the_runtime_on_the_test_models_of_onnx() -> None:
    """Report on the models that test ONNX's backends: sequences, strings, empty shapes."""
    assert len(MODELS) > 100
    for path in MODELS:
        found = jax2onnx.report(path)
        assert found.unknown in ((), (f"operator set {found.opsets['']} (judged as 13)",))
        try:
            onnxruntime.InferenceSession(path)
        except state.NotImplemented:
            # The runtime may have dropped the kernel of an old opset.
            assert not found.runs or found.opsets[""] < 7, path
        except (state.Fail, state.RuntimeException):  # A locale or a custom library is missing.
            pass
        else:
            assert found.runs, f"{path}\n{found}"


def test_each_missing_kernel_has_a_place_and_advice() -> None:
    [lack] = jax2onnx.report(foreign("Erf", TensorProto.DOUBLE)).missing_kernels
    assert (lack.call, lack.node, lack.count) == ("Erf(f64) -> f64", "culprit", 1)
    assert str(lack).startswith("Erf(f64) -> f64 at node 'culprit': it runs in f16, f32; cast")
    [swish] = jax2onnx.report(foreign("Swish", TensorProto.FLOAT, opset=23)).missing_kernels
    assert "operator set" in swish.remedy


def test_it_lists_unknown_operators_and_opsets() -> None:
    proto = foreign("Frobnicate", TensorProto.FLOAT)
    assert jax2onnx.report(proto).unknown == ("Frobnicate",)
    old = jax2onnx.report(foreign("Neg", TensorProto.FLOAT, opset=9))
    assert (old.unknown, old.runs) == (("operator set 9 (judged as 13)",), True)
    proto.graph.node[1].domain = "local"
    assert [lack.call.split("(")[0] for lack in jax2onnx.report(proto).missing_kernels] == [
        "local.Frobnicate"
    ]


@pytest.mark.parametrize(("content", "problem"), [(b"text", "no ONNX model"), (b"", "no ONNX")])
def test_files_that_are_not_models_are_refused(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(InputError, match=problem):
        jax2onnx.report(tmp_path / "m.onnx")
    with pytest.raises(InputError, match=r"none\.onnx: No such file"):
        jax2onnx.report(tmp_path / "none.onnx")
    with pytest.raises(InputError, match="target='tpu'"):
        jax2onnx.report(foreign("Neg", TensorProto.FLOAT), target="tpu")


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(foreign("Neg", TensorProto.FLOAT), path)
    assert main([str(path)]) == 0
    assert capsys.readouterr().out == f"{jax2onnx.report(path)}\n"
    onnx.save(foreign("Erf", TensorProto.DOUBLE), path)
    assert main([str(path)]) == 1
    with pytest.raises(SystemExit) as caught:
        main([str(tmp_path)])
    assert caught.value.code == 2


@pytest.mark.parametrize("double", [False, True])
def test_converted_models_lack_no_kernel(double: bool) -> None:
    converted = to_onnx(
        lambda x: (jnp.linalg.cholesky(x @ x.T), jax.nn.gelu(x), x.astype(jnp.bfloat16) * 3),
        [np.eye(3)],
        enable_double_precision=double,
        return_mode="ir",
    )
    assert missing_kernels(converted, "cpu")[1:] == ((), ())


def test_the_guide_to_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "deployment.md").read_text()
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", guide, re.DOTALL):
        exec(code, names)  # noqa: S102  # This is the guide's code.
    [shown] = re.findall(r"```text\n(.*?)```", guide, re.DOTALL)
    assert capsys.readouterr().out == shown
