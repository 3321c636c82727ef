"""References for any exporter: a model in Flax NNX whose weights a user saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import save_file

from exporters.artifact.convert import Request, export
from exporters.artifact.manifest import Weights
from exporters.errors import ExportError
from exporters.model.exportable import Exportable, TensorSource
from exporters.parity.definition import ParityTest
from exporters.parity.generic import concrete
from exporters.parity.verify import verify
from jax2onnx import InputSpec
from jax2onnx.models import parameters
from weights import Checkpoint

EXPORTER = f"{__name__}:exporter"


class Cnn(nnx.Module):
    def __init__(self, classes: int, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.drop = nnx.Dropout(0.5)
        self.head = nnx.Linear(4, classes, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        x = nnx.relu(self.norm(self.conv(images)))
        return self.head(self.drop(jnp.mean(x, axis=(1, 2))))


def exporter(checkpoint: Checkpoint, *, nchw: bool = False) -> Exportable:
    """Return the model of a checkpoint that was saved under the model's own paths."""
    model = nnx.eval_shape(lambda: Cnn(checkpoint.json()["classes"], nnx.Rngs(0)))
    return Exportable(
        model=model,
        inputs=[InputSpec(("B", 8, 8, 3))],
        parameters={path: TensorSource(path) for path in parameters(model)},
        input_names=["images"],
        output_names=["logits"],
        conversion={"inputs_as_nchw": ["images"]} if nchw else {},
    )


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    model = Cnn(5, nnx.Rngs(0))
    random = np.random.default_rng(0)
    values = {
        path: np.abs(random.standard_normal(leaf.shape)).astype(np.float32)
        for path, leaf in parameters(model).items()
    }
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    save_file(values, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"classes": 5}))
    return Checkpoint.open(folder)


def artifact(checkpoint: Checkpoint, file: Path, **options: Any) -> Path:
    weights = Weights("weights:cnn", "MIT", "made up", [])
    export(Request("cnn", EXPORTER, options, 23, checkpoint, weights), file)
    return file


def compare(checkpoint: Checkpoint, model: Path, reference: str, **given: Any) -> list[str]:
    """Return the report of a parity test."""
    lines: list[str] = []
    settings: dict[str, Any] = {"options": {}, "data": None, **given}
    test = ParityTest(
        "t", model, EXPORTER, provider="cpu", reference=reference, atol=1e-5, rtol=1e-5, **settings
    )
    verify(test, checkpoint, lines.append)
    return lines


@pytest.mark.parametrize("nchw", [False, True])
def test_a_model_of_ones_own_agrees_with_jax(
    checkpoint: Checkpoint, tmp_path: Path, nchw: bool
) -> None:
    model = artifact(checkpoint, tmp_path / "cnn.onnx", nchw=nchw)
    report = compare(checkpoint, model, "exporters.parity:against_jax", options={"nchw": nchw})
    first, second = (line.strip() for line in report[1:])
    assert first.startswith("1 x 8 x 8 x 3: ok, logits within")
    assert second.startswith("3 x 8 x 8 x 3: ok, logits within")


def test_stored_outputs_that_differ_are_found(checkpoint: Checkpoint, tmp_path: Path) -> None:
    model = artifact(checkpoint, tmp_path / "cnn.onnx")
    data = tmp_path / "cases.npz"
    image = np.ones((1, 8, 8, 3), np.float32)
    arrays: dict[str, Any] = {"one/images": image, "one/logits": np.zeros((1, 5), np.float32)}
    np.savez(data, **arrays)
    with pytest.raises(ExportError, match="disagree: one"):
        compare(checkpoint, model, "exporters.parity:stored", data=data)


def test_names_stand_for_sizes() -> None:
    shapes = [("B", 3, "16*h"), ("h", "B")]
    assert concrete(shapes, 2) == ((2, 3, 48), (3, 2))


def test_an_expression_needs_a_reference_of_ones_own() -> None:
    with pytest.raises(ExportError, match=r"'S \+ P' is neither a name"):
        concrete([("S + P",)], 2)
