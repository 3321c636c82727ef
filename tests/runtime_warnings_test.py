"""ONNX Runtime loads and runs the artifacts without a warning."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from flax import nnx

from exporters.artifact.bind import external
from jax2onnx import save, to_onnx
from tests.commands import FIXTURES
from tests.models import gpt2, resnet, vit
from weights import Checkpoint

VIT = vit.Config(image=32, width=24, heads=2, classes=10, depth=2)
GPT2 = gpt2.Config(width=24, heads=2, tokens=40, positions=32, depth=2)
RESNET = resnet.Config(width=4, classes=10)
_WARNING = 2

MODELS: dict[str, Any] = {
    "vit": lambda opset: to_onnx(vit.build(VIT), [("B", 3, 32, 32)], opset=opset),
    "gpt2": lambda opset: to_onnx(
        gpt2.build(GPT2), [jax.ShapeDtypeStruct(("B", "T"), jnp.int32)], opset=opset
    ),
    "resnet": lambda opset: to_onnx(resnet.build(RESNET), [("B", 64, 64, 3)], opset=opset),
    "gru": lambda opset: to_onnx(
        nnx.RNN(nnx.GRUCell(4, 8, rngs=nnx.Rngs(0))), [("B", "T", 4)], opset=opset
    ),
    "lstm": lambda opset: to_onnx(recurrent(), [("T", 4)], opset=opset),
    "loops": lambda opset: to_onnx(loops, [("B", 8), np.int32(3)], opset=opset),
}
EXPORTERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "gpt_oss_dense": ("gpt_oss", "gpt_oss_dense", {}),
    "gpt_oss_mxfp4": ("gpt_oss", "gpt_oss_mxfp4", {}),
    "gpt_oss_original": ("gpt_oss", "gpt_oss_original", {}),
    "gpt_oss_cached": ("gpt_oss", "gpt_oss_mxfp4", {"cache": True}),
    "dinov3": ("dinov3", "dinov3_vit", {"image_size": ["4*h", "4*w"]}),
    "dinov3_gated": ("dinov3", "dinov3_vit_gated", {}),
    "dinov3_bf16": ("dinov3", "dinov3_vit_bf16", {}),
    "minilm": ("minilm", "minilm_tiny", {}),
}


def recurrent() -> Any:
    cell = eqx.nn.LSTMCell(4, 8, key=jax.random.key(0))

    def run(rows: jax.Array) -> Any:
        start = (jnp.zeros(8), jnp.zeros(8))
        return jax.lax.scan(lambda state, row: (cell(row, state), state[0]), start, rows)

    return run


def loops(x: jax.Array, n: jax.Array) -> Any:
    """Return results of loops with and without a trip count, and of a conditional in one."""

    def step(i: Any, c: jax.Array) -> jax.Array:
        chosen: jax.Array = jax.lax.cond(i > 1, lambda v: v * 2 + x, lambda v: v - x, c)
        return chosen

    counted = jax.lax.fori_loop(0, n, step, x)
    return counted, jax.lax.while_loop(lambda c: c.sum() < 9, lambda c: c + 1, x)


def load(path: Path, folder: Path | None = None) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _WARNING
    if folder is not None:
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(folder)
        )
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("opset", [17, 23])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_loads_without_warnings(
    name: str, opset: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.onnx").write_bytes(MODELS[name](opset).SerializeToString())
    capfd.readouterr()
    load(tmp_path / "model.onnx")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", EXPORTERS)
def test_an_artifact_loads_without_warnings(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    family, fixture, options = EXPORTERS[name]
    checkpoint = Checkpoint.open(FIXTURES / fixture)
    exported = importlib.import_module(f"exporters.families.{family}.export").export(
        checkpoint, **options
    )
    model = to_onnx(
        exported.model,
        exported.inputs,
        parameters=external(exported.parameters, checkpoint),
        return_mode="ir",
        input_names=exported.input_names,
        output_names=exported.output_names,
        **exported.conversion,
    )
    assert isinstance(model, ir.Model)
    save(model, tmp_path / "model.onnx")
    capfd.readouterr()
    load(tmp_path / "model.onnx", FIXTURES / fixture)
    assert capfd.readouterr().err == ""


def test_a_warning_would_be_noticed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = to_onnx(jnp.sin, [(3,)], return_mode="ir")
    unused = ir.tensor(np.zeros(3, np.float32), name="unused")
    model.graph.register_initializer(ir.val("unused", const_value=unused))
    ir.save(model, tmp_path / "model.onnx")
    load(tmp_path / "model.onnx")
    assert "unused" in capfd.readouterr().err
