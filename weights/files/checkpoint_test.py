"""Checkpoint folders are opened and read, and malformed ones are refused."""

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors
from safetensors.numpy import save_file

from weights import Checkpoint, WeightsError
from weights.files.checkpoint import check_inside

Arrays = dict[str, np.ndarray[Any, Any]]

SHARDS: dict[str, Arrays] = {
    "model-00001-of-00002.safetensors": {
        "embed.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
        "norm.scale": np.ones(4, np.float32),
    },
    "model-00002-of-00002.safetensors": {"head.weight": np.arange(8, dtype=np.int64)},
}


def shard(folder: Path, index: dict[str, Any] | None = None) -> Path:
    """Write ``SHARDS`` and their index (or ``index`` in its place) into a new folder."""
    folder.mkdir()
    for name, tensors in SHARDS.items():
        save_file(tensors, folder / name)
    placed = {tensor: name for name, tensors in SHARDS.items() for tensor in tensors}
    text = json.dumps({"metadata": {}, "weight_map": placed} if index is None else index)
    (folder / "model.safetensors.index.json").write_text(text)
    return folder


def test_single_file(tmp_path: Path) -> None:
    tensors = {
        "b": np.arange(6, dtype=np.float32).reshape(2, 3),
        "a": np.array([1, -2], ml_dtypes.bfloat16),
        "scalar": np.array(3.5, np.float64),
        "none": np.zeros((0, 2), np.float32),
    }
    save_file(tensors, tmp_path / "model.safetensors")
    checkpoint = Checkpoint.open(tmp_path)
    assert list(checkpoint.tensors) == ["a", "b", "none", "scalar"]
    assert checkpoint.files == (tmp_path / "model.safetensors",)
    with safetensors.safe_open(tmp_path / "model.safetensors", "np") as reference:
        for name in tensors:
            value, expected = checkpoint.read(name), reference.get_tensor(name)
            assert value.dtype == expected.dtype
            assert not value.flags.writeable or not value.size
            np.testing.assert_array_equal(value, expected, strict=True)


def test_a_single_file_may_have_any_name(tmp_path: Path) -> None:
    save_file(SHARDS["model-00002-of-00002.safetensors"], tmp_path / "weights.safetensors")
    assert list(Checkpoint.open(tmp_path).tensors) == ["head.weight"]


def test_unaligned_tensors_read_exactly(tmp_path: Path) -> None:
    """The format does not pad, so a header of odd length puts floats at odd offsets."""
    header = b'{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}'
    assert len(header) % 2
    file = tmp_path / "model.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<3f", 1, 2, 3))
    np.testing.assert_array_equal(Checkpoint.open(tmp_path).read("x"), [1, 2, 3])


def test_sharded(tmp_path: Path) -> None:
    checkpoint = Checkpoint.open(shard(tmp_path / "c"))
    assert [file.name for file in checkpoint.files] == sorted(SHARDS)
    for name, tensors in SHARDS.items():
        for tensor, value in tensors.items():
            assert checkpoint.tensors[tensor].file == tmp_path / "c" / name
            np.testing.assert_array_equal(checkpoint.read(tensor), value, strict=True)


def test_json(tmp_path: Path) -> None:
    checkpoint = Checkpoint.open(shard(tmp_path / "c"))
    with pytest.raises(WeightsError, match=r"config\.json does not exist"):
        checkpoint.json()
    (tmp_path / "c" / "config.json").write_text('{"model_type": "gpt_oss"}')
    assert checkpoint.json() == {"model_type": "gpt_oss"}
    (tmp_path / "c" / "config.json").write_text("[1]")
    with pytest.raises(WeightsError, match=r"config\.json must hold a JSON object"):
        checkpoint.json()
    (tmp_path / "c" / "config.json").write_text('{"a": 1, "a": 2}')
    with pytest.raises(WeightsError, match="'a' is given twice"):
        checkpoint.json()
    with pytest.raises(WeightsError, match="does not exist"):
        checkpoint.json("generation_config.json")
    with pytest.raises(WeightsError, match="plain file name"):
        checkpoint.json("../c/config.json")


def test_unknown_and_packed_tensors(tmp_path: Path) -> None:
    header = b'{"x":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}'
    file = tmp_path / "model.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header + b"\x00\x01")
    checkpoint = Checkpoint.open(tmp_path)
    with pytest.raises(WeightsError, match="packed F4"):
        checkpoint.read("x")
    with pytest.raises(WeightsError, match="no tensor 'y'"):
        checkpoint.read("y")


FIRST, SECOND = SHARDS
WHOLE = {"embed.weight": FIRST, "norm.scale": FIRST, "head.weight": SECOND}


@pytest.mark.parametrize(
    ("placed", "message"),
    [
        ({**WHOLE, "x": "../model.safetensors"}, r"'x' is placed in '\.\./model\.safetensors'"),
        ({**WHOLE, "x": "/etc/model.safetensors"}, "'x' is placed in '/etc/"),
        ({**WHOLE, "x": "..\\model.safetensors"}, "'x' is placed in"),
        ({**WHOLE, "x": "a\0.safetensors"}, "'x' is placed in"),
        ({**WHOLE, "x": ".."}, "'x' is placed in"),
        ({**WHOLE, "x": ["a"]}, "'x' is placed in"),
        ({**WHOLE, "x": "pytorch_model.bin"}, "Only safetensors are read"),
        ({**WHOLE, "x": "model-00003-of-00002.safetensors"}, "names model-00003-of-00002"),
        ({**WHOLE, "x": SECOND}, f"'x' is said to lie in {SECOND} and lies in no shard"),
        (
            {**WHOLE, "norm.scale": SECOND},
            f"'norm.scale' is said to lie in {SECOND} and lies in {FIRST}",
        ),
        (
            {"embed.weight": FIRST, "head.weight": SECOND},
            f"'norm.scale' lies in {FIRST} and is not in the index",
        ),
        ({}, "weight_map is missing or empty"),
        (None, "weight_map is missing or empty"),
        (["a"], "weight_map is missing or empty"),
    ],
)
def test_bad_index(tmp_path: Path, placed: Any, message: str) -> None:
    folder = shard(tmp_path / "c", {"weight_map": placed})
    with pytest.raises(WeightsError, match=message) as caught:
        Checkpoint.open(folder)
    assert "model.safetensors.index.json" in str(caught.value)


def test_a_tensor_in_two_shards(tmp_path: Path) -> None:
    folder = shard(tmp_path / "c")
    save_file(SHARDS[FIRST] | SHARDS[SECOND], folder / SECOND)
    with pytest.raises(WeightsError, match=f"'embed.weight' lies in both {FIRST} and {SECOND}"):
        Checkpoint.open(folder)


def test_missing_shard_index_or_folder(tmp_path: Path) -> None:
    folder = shard(tmp_path / "c")
    (folder / SECOND).unlink()
    with pytest.raises(WeightsError, match=f"names {SECOND}, which"):
        Checkpoint.open(folder)
    (folder / "model.safetensors.index.json").unlink()
    with pytest.raises(WeightsError, match="no index"):
        Checkpoint.open(folder)
    (folder / FIRST).unlink()
    with pytest.raises(WeightsError, match=r"holds no \*\.safetensors"):
        Checkpoint.open(folder)
    with pytest.raises(WeightsError, match="does not exist"):
        Checkpoint.open(tmp_path / "absent")
    with pytest.raises(WeightsError, match="is not a folder"):
        Checkpoint.open(Path(__file__))


def test_two_checkpoints_in_a_folder(tmp_path: Path) -> None:
    folder = shard(tmp_path / "c")
    shutil.copy(folder / FIRST, folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"both model\.safetensors and an index"):
        Checkpoint.open(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "consolidated.00.pth"])
def test_pickles_are_never_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x02")
    with pytest.raises(WeightsError, match="never read") as caught:
        Checkpoint.open(tmp_path)
    assert "save_file" in str(caught.value)
    assert name in str(caught.value)


def test_symbolic_links(tmp_path: Path) -> None:
    """A link within the folder is read; one that leaves it is refused with advice that works."""
    blobs, folder = tmp_path / "blobs", tmp_path / "snapshot"
    blobs.mkdir()
    folder.mkdir()
    save_file(SHARDS[SECOND], blobs / "0123")
    (folder / "model.safetensors").symlink_to("../blobs/0123")
    with pytest.raises(WeightsError, match="symbolic link out of its folder") as caught:
        Checkpoint.open(folder)
    assert f"cp -RLl {folder} " in str(caught.value)
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "model.safetensors").hardlink_to(blobs / "0123")
    assert list(Checkpoint.open(linked).tensors) == ["head.weight"]
    (linked / "same.safetensors").symlink_to("model.safetensors")
    assert check_inside(linked, "same.safetensors") == linked / "same.safetensors"
    # The folder itself may be reached through a link, as in build sandboxes.
    (tmp_path / "alias").symlink_to(linked)
    assert list(Checkpoint.open(tmp_path / "alias").tensors) == ["head.weight"]
    (linked / "model.safetensors").unlink()
    (linked / "model.safetensors").symlink_to("model.safetensors")
    with pytest.raises(WeightsError, match="does not exist"):
        Checkpoint.open(linked)
