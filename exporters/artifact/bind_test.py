from __future__ import annotations

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from exporters.artifact import bind as binding
from exporters.errors import ExportError
from exporters.model.exportable import TensorSource
from jax2onnx.models import parameters
from weights import Checkpoint

BFLOAT16 = ml_dtypes.bfloat16


class Block(eqx.Module):
    query: jax.ShapeDtypeStruct
    key: jax.ShapeDtypeStruct
    scale: jax.ShapeDtypeStruct
    activation: Any = jax.nn.relu
    width: int = 4


class Net(eqx.Module):
    blocks: list[Block]
    head: dict[str, jax.ShapeDtypeStruct]

    def __call__(self, x: jax.Array) -> jax.Array:
        return x


def net() -> Net:
    def abstract(dtype: Any, *shape: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, dtype)

    block = Block(abstract(np.float32, 2, 3), abstract(np.float32, 4, 3), abstract(BFLOAT16))
    return Net([block], {"bias": abstract(np.int8, 5)})


SOURCES = {
    "blocks.0.query": TensorSource("qk", (0, 2)),
    "blocks.0.key": TensorSource("qk", (2, 6)),
    "blocks.0.scale": TensorSource("scale"),
    "head.bias": TensorSource("bias"),
}


def tensors() -> dict[str, np.ndarray]:
    return {
        "qk": np.arange(18, dtype=np.float32).reshape(6, 3),
        "scale": np.array(1.5, BFLOAT16),
        "bias": np.arange(5, dtype=np.int8),
    }


def checkpoint(folder: Path, **changes: np.ndarray | None) -> Checkpoint:
    kept = {name: value for name, value in {**tensors(), **changes}.items() if value is not None}
    save_file(kept, folder / "model.safetensors")
    return Checkpoint.open(folder)


def test_parameters_are_named_by_their_path_and_only_arrays_count() -> None:
    assert parameters(net()).keys() == SOURCES.keys()


def test_complete_binding_passes(tmp_path: Path) -> None:
    binding.check(net(), SOURCES, checkpoint(tmp_path))


def test_load_puts_the_values_in_place(tmp_path: Path) -> None:
    model = binding.load(net(), SOURCES, checkpoint(tmp_path))
    qk = tensors()["qk"]
    np.testing.assert_array_equal(model.blocks[0].query, qk[:2])
    np.testing.assert_array_equal(model.blocks[0].key, qk[2:])
    assert model.blocks[0].scale.dtype == BFLOAT16
    np.testing.assert_array_equal(model.blocks[0].scale, BFLOAT16(1.5))
    assert isinstance(model.head["bias"], jax.Array)
    assert model.blocks[0].activation is jax.nn.relu


def test_external_points_at_the_bytes(tmp_path: Path) -> None:
    file = checkpoint(tmp_path)
    raw = (tmp_path / "model.safetensors").read_bytes()
    loaded = parameters(binding.load(net(), SOURCES, file))
    found = binding.external(SOURCES, file)
    assert list(found) == sorted(SOURCES)
    for path, reference in found.items():
        assert reference.location == "model.safetensors"
        assert reference.offset is not None
        assert reference.length is not None
        value = np.asarray(loaded[path])
        assert raw[reference.offset : reference.offset + reference.length] == value.tobytes()
        assert tuple(reference.shape) == value.shape
        assert reference.dtype.numpy() == value.dtype
        np.testing.assert_array_equal(reference.numpy(), value)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"scale": None}, ["missing tensors (1)", "scale (for blocks.0.scale)"]),
        (
            {"rotary": np.zeros((2, 2), np.float32)},
            ["extra tensors (1)", "rotary: float32[2, 2] in model.safetensors"],
        ),
        (
            {"bias": np.zeros((6,), np.int8)},
            ["bias: expected int8[5] for head.bias, found int8[6] in model.safetensors"],
        ),
        (
            {"scale": np.array(1, np.float32)},
            ["scale: expected bfloat16[] for blocks.0.scale, found float32[] in model.safetensors"],
        ),
        (
            {"qk": np.zeros((6, 2), np.float32)},
            ["qk rows 0:2: expected float32[2, 3] for blocks.0.query, found float32[2, 2]"],
        ),
        (
            {"qk": np.zeros((7, 3), np.float32)},
            ["qk: has rows 0:7, but blocks.0.query takes rows 0:2, blocks.0.key takes rows 2:6"],
        ),
        (
            {"qk": np.zeros((5, 3), np.float32)},
            ["qk: has rows 0:5, but blocks.0.query takes rows 0:2, blocks.0.key takes rows 2:6"],
        ),
        (
            {"qk": np.array(1, np.float32)},
            ["qk: has rows 0:0, but blocks.0.query takes rows 0:2"],
        ),
        (
            {"scale": None, "odd": np.zeros((1,), np.int8), "bias": np.zeros((1,), np.int8)},
            ["missing tensors (1)", "extra tensors (1)", "tensors that do not fit (1)"],
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    tmp_path: Path, changes: dict[str, np.ndarray | None], expected: list[str]
) -> None:
    with pytest.raises(ExportError) as caught:
        binding.check(net(), SOURCES, checkpoint(tmp_path, **changes))
    for text in (str(tmp_path), *expected):
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"blocks.0.key": TensorSource("qk", (1, 5))}, "qk: has rows 0:6, but"),
        ({"blocks.0.key": TensorSource("qk")}, "blocks.0.key takes rows 0:6"),
        ({"blocks.1.key": TensorSource("gone")}, "bindings to no parameter of the model (1)"),
    ],
)
def test_bindings_are_checked_against_the_model(
    tmp_path: Path, sources: dict[str, TensorSource], expected: str
) -> None:
    with pytest.raises(ExportError, match=r"does not hold what the model needs") as caught:
        binding.check(net(), {**SOURCES, **sources}, checkpoint(tmp_path))
    assert expected in str(caught.value)


def test_unbound_parameter_is_named(tmp_path: Path) -> None:
    sources = {path: source for path, source in SOURCES.items() if path != "head.bias"}
    with pytest.raises(ExportError, match="no tensor is bound to") as caught:
        binding.check(net(), sources, checkpoint(tmp_path))
    assert "head.bias" in str(caught.value)


def test_ignored_tensors_may_be_present_or_absent(tmp_path: Path) -> None:
    file = checkpoint(tmp_path, mask=np.zeros((2,), np.float32))
    binding.check(net(), SOURCES, file, ignored=["mask", "not there"])


def test_the_report_on_an_entirely_wrong_checkpoint_is_short(tmp_path: Path) -> None:
    extra = {f"x{i:03}": np.zeros((1,), np.int8) for i in range(300)}
    with pytest.raises(ExportError, match=r"extra tensors \(300\)") as caught:
        binding.check(net(), SOURCES, checkpoint(tmp_path, **extra))
    assert "... and 260 more" in str(caught.value)
    assert len(str(caught.value).splitlines()) < 60
