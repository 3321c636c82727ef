from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from exporters.artifact.bind import check
from exporters.errors import ExportError
from exporters.families.dinov3.export import export
from weights import Checkpoint

FIXTURES = Path(__file__).parents[3] / "weights" / "fixtures"
Tensors = dict[str, np.ndarray]


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, ("batch_size", 3, 20, 20)),
        ({"image_size": 8}, ("batch_size", 3, 8, 8)),
        ({"image_size": [12, 28], "batch": 2}, (2, 3, 12, 28)),
        ({"image_size": "4*n", "batch": "N"}, ("N", 3, "4*n", "4*n")),
        ({"image_size": ["4*h", 28]}, ("batch_size", 3, "4*h", 28)),
    ],
)
def test_input_shape(options: dict[str, Any], shape: tuple[int | str, ...]) -> None:
    exported = export(Checkpoint.open(FIXTURES / "dinov3_vit"), **options)
    assert [spec.shape for spec in exported.inputs] == [shape]
    assert all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(exported.model))


@pytest.mark.parametrize(
    ("image_size", "message"),
    [
        (22, "22 is not a multiple of the patch size 4: give one such as 20"),
        (3, "give one such as 4,"),
        ([20, 0], "0 is not a multiple"),
        ([20, 20, 20], r"give one extent, or \[height, width\]"),
        ("h", "'h' is not a multiple of the patch size 4"),
        ("16*h", r"or '4\*h' to leave it open"),
        (20.0, "20.0 is not a multiple"),
    ],
)
def test_refuses_an_image_size_that_does_not_fit(image_size: Any, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        export(Checkpoint.open(FIXTURES / "dinov3_vit"), image_size=image_size)


def test_refuses_an_invalid_batch() -> None:
    with pytest.raises(ExportError, match="batch is 0: give a positive number"):
        export(Checkpoint.open(FIXTURES / "dinov3_vit"), batch=0)


def drop_a_norm(tensors: Tensors) -> None:
    del tensors["layer.1.norm2.bias"]


def add_a_head(tensors: Tensors) -> None:
    tensors["head.weight"] = np.zeros((2, 36), np.float32)


def transpose_a_projection(tensors: Tensors) -> None:
    tensors["layer.0.mlp.up_proj.weight"] = np.zeros((36, 52), np.float32)


def store_integers(tensors: Tensors) -> None:
    tensors["norm.weight"] = tensors["norm.weight"].astype(np.int32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_a_norm, r"missing tensors \(1\):\n    layer.1.norm2.bias"),
        (add_a_head, r"extra tensors \(1\):\n    head.weight"),
        (transpose_a_projection, r"up_proj.weight: expected float32\[52, 36\].*found.*\[36, 52\]"),
        (store_integers, r"norm.weight: expected float32\[36\].*found int32\[36\]"),
    ],
)
def test_a_checkpoint_that_does_not_fit(
    change: Callable[[Tensors], None], message: str, tmp_path: Path
) -> None:
    shutil.copy(FIXTURES / "dinov3_vit" / "config.json", tmp_path)
    tensors = load_file(FIXTURES / "dinov3_vit" / "model.safetensors")
    change(tensors)
    save_file(tensors, tmp_path / "model.safetensors")
    checkpoint = Checkpoint.open(tmp_path)
    exported = export(checkpoint)
    with pytest.raises(ExportError, match=message):
        check(exported.model, exported.parameters, checkpoint, ignored=exported.ignored)


def test_the_name_of_another_dimension_is_refused() -> None:
    with pytest.raises(ExportError, match="batch is 'h', which is the name of another dimension"):
        export(Checkpoint.open(FIXTURES / "dinov3_vit"), image_size=["4*h", "4*w"], batch="h")
