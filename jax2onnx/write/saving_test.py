"""``save`` writes the right files, and a failed ``save`` leaves the old ones."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from safetensors.numpy import load_file, save_file

from jax2onnx.errors import WriteError
from jax2onnx.write import encode as _encode
from jax2onnx.write import finalise, save, to_proto
from jax2onnx.write import saving as _save

LARGE = (300, 100)


def weight(name: str = "w", shape: tuple[int, ...] = LARGE, dtype: Any = np.float32) -> ir.Value:
    array = np.random.default_rng(0).normal(size=shape).astype(dtype)
    return ir.val(name, const_value=ir.tensor(array, name=name))


def model(*weights: ir.Value) -> ir.Model:
    """Return a model that casts each weight to f32 and doubles it."""
    graph = ir.Graph([], [], nodes=[], initializers=weights, opset_imports={"": 23})
    for value in weights:
        cast = ir.node("Cast", [value], {"to": ir.DataType.FLOAT})
        add = ir.node("Add", [cast.outputs[0], cast.outputs[0]])
        for node in (cast, add):
            node.outputs[0].dtype = ir.DataType.FLOAT
            node.outputs[0].shape = value.shape
        graph.extend([cast, add])
        graph.outputs.append(add.outputs[0])
    of = ir.Model(graph, ir_version=10)
    finalise(of)
    return of


def by_reference(path: Path, array: np.ndarray, **changes: Any) -> ir.Value:
    """Return a weight in a safetensors file, with ``changes`` that break the reference."""
    save_file({"t": array}, path)
    header = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    fields: dict[str, Any] = {
        "location": path.name,
        "offset": header,
        "length": array.nbytes,
        "base_dir": str(path.parent),
    }
    tensor = ir.ExternalTensor(
        **{**fields, **changes},
        dtype=ir.DataType.from_numpy(array.dtype),
        shape=ir.Shape(array.shape),
        name="w",
    )
    return ir.val("w", const_value=tensor)


def run(path: Path) -> list[np.ndarray]:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [np.asarray(result) for result in session.run(None, {})]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    "weights",
    [
        [("w", LARGE, np.float32)],
        [("a", LARGE, ml_dtypes.bfloat16), ("b", (3,), np.float32), ("c", LARGE, np.int8)],
        [("a", (2,), np.float32)],
        [("a", (70000,), np.bool_), ("b", (0, 3), np.float32), ("c", (), np.float64)],
    ],
)
def test_the_file_equals_the_serialisation_of_protobuf(
    tmp_path: Path, weights: list[tuple[str, tuple[int, ...], Any]]
) -> None:
    of = model(*[weight(*fields) for fields in weights])
    of.metadata_props["after the graph"] = "field 14"
    of.graph.metadata_props["after the initializers"] = "field 16"
    for value in of.graph.initializers.values():
        assert value.const_value is not None
        value.const_value.metadata_props["after the data"] = "field 16"
    save(of, tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_bytes() == to_proto(of).SerializeToString(deterministic=True)
    assert files(tmp_path) == ["m.onnx"]


def test_packed_and_non_contiguous_tensors_are_written_correctly(
    tmp_path: Path,
) -> None:
    array = np.arange(90000, dtype=np.float32).reshape(300, 300).T
    nibbles = ir.tensor((np.arange(200000) % 16).astype(ml_dtypes.uint4), name="n")
    of = model(ir.val("w", const_value=ir.tensor(array, name="w")))
    of.graph.initializers.add(ir.val("n", const_value=nibbles))
    save(of, tmp_path / "m.onnx")
    stored = {t.name: t for t in onnx.load(tmp_path / "m.onnx").graph.initializer}
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(stored["w"]), array)
    assert stored["n"].raw_data == nibbles.tobytes()


@pytest.mark.parametrize(("asked", "name"), [(True, "m.onnx.safetensors"), ("w.bin", "w.bin")])
def test_external_data_is_a_safetensors_file_beside_the_model(
    tmp_path: Path, asked: bool | str, name: str
) -> None:
    weights = [
        weight("a", LARGE, np.float16),
        weight("b", LARGE),
        weight("c", LARGE, ml_dtypes.bfloat16),
        weight("tiny", (3,)),
        weight("d", (10, 300), ml_dtypes.float8_e4m3fnuz),
    ]
    of = model(*weights)
    arrays = {value.name: value.const_value.numpy() for value in weights if value.const_value}
    save(of, tmp_path / "m.onnx", external_data=asked)
    assert files(tmp_path) == sorted(["m.onnx", name])
    stored = load_file(tmp_path / name)
    assert set(stored) == {"a", "b", "c", "d"}
    for key, array in stored.items():
        assert array.tobytes() == arrays[key].tobytes()
    onnx.checker.check_model(tmp_path / "m.onnx")
    proto = onnx.load(tmp_path / "m.onnx", load_external_data=False)
    offsets = {
        t.name: int(t.external_data[1].value) for t in proto.graph.initializer if t.name != "tiny"
    }
    assert all(offset % 8 == 0 for offset in offsets.values())
    # The model in memory still holds its weights.
    assert all(isinstance(value.const_value, ir.Tensor) for value in weights)


def test_external_data_runs(tmp_path: Path) -> None:
    of = model(weight("a", LARGE, np.float16), weight("b"))
    save(of, tmp_path / "inside.onnx")
    save(of, tmp_path / "beside.onnx", external_data=True)
    for inside, beside in zip(
        run(tmp_path / "inside.onnx"), run(tmp_path / "beside.onnx"), strict=True
    ):
        np.testing.assert_array_equal(inside, beside)


def test_a_model_beyond_two_gibibytes_keeps_its_weights_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_save, "_SELF_CONTAINED_LIMIT", 100_000)
    save(model(weight()), tmp_path / "m.onnx")
    assert files(tmp_path) == ["m.onnx", "m.onnx.safetensors"]
    with pytest.raises(WriteError, match="return_mode='file'"):
        to_proto(model(weight()))


def test_asking_for_a_file_beyond_two_gibibytes_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_save, "PROTOBUF_LIMIT", 100_000)
    with pytest.raises(WriteError, match=r"ends at 2 GiB.*external_data"):
        save(model(weight()), tmp_path / "m.onnx", external_data=False)
    assert files(tmp_path) == []


def test_references_stay_references_without_a_folder(tmp_path: Path) -> None:
    array = np.ones(LARGE, np.float32)
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    of = model(by_reference(checkpoint / "model.safetensors", array))
    save(of, tmp_path / "m.onnx")
    data = (tmp_path / "m.onnx").read_bytes()
    assert str(tmp_path).encode() not in data
    [tensor] = onnx.load(tmp_path / "m.onnx", load_external_data=False).graph.initializer
    assert {e.key: e.value for e in tensor.external_data}["location"] == "model.safetensors"
    os.link(checkpoint / "model.safetensors", tmp_path / "model.safetensors")
    np.testing.assert_array_equal(run(tmp_path / "m.onnx")[0], array * 2)


def test_references_can_be_embedded_also_hard_links(tmp_path: Path) -> None:
    array = np.arange(9, dtype=np.float32)
    of = model(by_reference(tmp_path / "model.safetensors", array), weight("v"))
    os.link(tmp_path / "model.safetensors", tmp_path / "again.safetensors")
    save(of, tmp_path / "m.onnx", external_data=False)
    for name in ("model.safetensors", "again.safetensors"):
        (tmp_path / name).unlink()
    onnx.checker.check_model(tmp_path / "m.onnx")
    np.testing.assert_array_equal(run(tmp_path / "m.onnx")[0], array * 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"location": "../model.safetensors"}, "relative path"),
        ({"location": "/etc/passwd"}, "relative path"),
        ({"location": "C:/weights"}, "relative path"),
        ({"location": "a\\b"}, "relative path"),
        ({"location": "./model.safetensors"}, "relative path"),
        ({"location": ""}, "relative path"),
        ({"location": "gone.safetensors"}, r"gone.safetensors, which does not exist\. Put"),
        ({"length": 4}, r"takes 36 bytes as FLOAT\[9\], but .* gives 4"),
        ({"offset": 10_000}, "bytes 10000 to 10036 of .*truncated"),
        ({"offset": -4}, "truncated"),
    ],
)
def test_a_wrong_reference_is_named_and_nothing_is_written(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    of = model(by_reference(tmp_path / "model.safetensors", np.ones(9, np.float32), **changes))
    with pytest.raises(WriteError, match=message) as caught:
        save(of, tmp_path / "m.onnx")
    assert "'w'" in str(caught.value)
    assert files(tmp_path) == ["model.safetensors"]


@pytest.mark.parametrize("name", ["a/b", "..", "", "m.onnx", "/tmp/x"])
def test_external_data_must_be_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(WriteError, match="external_data"):
        save(model(weight()), tmp_path / "m.onnx", external_data=name)
    assert files(tmp_path) == []


def test_external_data_never_overwrites_a_referenced_file(tmp_path: Path) -> None:
    of = model(by_reference(tmp_path / "model.safetensors", np.ones(9, np.float32)))
    before = (tmp_path / "model.safetensors").read_bytes()
    with pytest.raises(WriteError, match="already refers to"):
        save(of, tmp_path / "m.onnx", external_data="model.safetensors")
    assert (tmp_path / "model.safetensors").read_bytes() == before


def full_disk(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def interrupted(descriptor: int) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("external", [None, True])
@pytest.mark.parametrize(
    ("fail", "error"), [(full_disk, WriteError), (interrupted, KeyboardInterrupt)]
)
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    external: bool | None,
    fail: Callable[[int], None],
    error: type[BaseException],
) -> None:
    (tmp_path / "m.onnx").write_text("the old one")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(error) as caught:
        save(model(weight()), tmp_path / "m.onnx", external_data=external)
    assert files(tmp_path) == ["m.onnx"]
    assert (tmp_path / "m.onnx").read_text() == "the old one"
    if error is WriteError:
        assert "No space left on device. Free some space" in str(caught.value)


def test_a_write_beyond_the_file_size_limit(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
    try:
        with pytest.raises(WriteError, match="File too large"):
            save(model(weight()), tmp_path / "m.onnx")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("place", "remedy"),
    [
        ("missing/m.onnx", "No such file or directory. Create the folder"),
        ("file/m.onnx", "Not a directory"),
        ("folder", "Is a directory. That is a folder"),
    ],
)
def test_a_path_that_cannot_be_written_is_named(tmp_path: Path, place: str, remedy: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(WriteError, match=remedy) as caught:
        save(model(weight()), tmp_path / place)
    assert str(tmp_path / place) in str(caught.value)
    assert ".tmp" not in str(caught.value)
    assert files(tmp_path) == ["file", "folder"]


def test_the_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("")
    save(model(weight()), tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_writing_makes_no_second_copy_of_the_weights(tmp_path: Path) -> None:
    import tracemalloc

    of = model(weight("w", (2000, 2000)))
    tracemalloc.start()
    save(of, tmp_path / "m.onnx")
    save(of, tmp_path / "n.onnx", external_data=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_varints_of_any_length() -> None:
    for number in (0, 1, 127, 128, 300, 2**31 - 1, 2**35):
        encoded = _encode._varint(number)
        assert _encode._read_varint(encoded, 0) == (number, len(encoded))
