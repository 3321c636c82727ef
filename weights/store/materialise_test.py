"""Folders are linked or copied, and are complete or absent."""

import os
from pathlib import Path

import pytest

from weights import Checkpoint, Pins, SyntheticTensor, Uniform, WeightsError, write_checkpoint
from weights.files.pins import pin_folder
from weights.store import Store
from weights.store.materialise import materialise


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.fixture
def pins(source: Path) -> Pins:
    tensor = SyntheticTensor("F32", (64, 64), Uniform(1.0))
    return write_checkpoint(source, {"a": 1}, {"w": tensor}, 0)


@pytest.mark.parametrize("link", [True, False])
def test_a_complete_folder(pins: Pins, source: Path, tmp_path: Path, link: bool) -> None:
    counts: list[int] = []
    folder = tmp_path / "out" / "model"
    materialise(pins, source, folder, also={"m.onnx": b"x"}, link=link, progress=counts.append)
    pins.verify(folder)
    assert list(Checkpoint.open(folder).tensors) == ["w"]
    assert (folder / "m.onnx").read_bytes() == b"x"
    assert len(list(folder.iterdir())) == 3
    same = (folder / "model.safetensors").samefile(source / "model.safetensors")
    assert same == link
    assert sum(counts) == pins.size


def test_side_files_below_the_folder(pins: Pins, source: Path, tmp_path: Path) -> None:
    (source / "1_Pooling").mkdir()
    (source / "1_Pooling" / "config.json").write_text("{}")
    pins = pin_folder(source, [*(pin.name for pin in pins.files), "1_Pooling/config.json"])
    store = Store(tmp_path / "store")
    for pin in pins.files:
        store.add(source / pin.name, pin)
    materialise(pins, store.view(pins), tmp_path / "out")
    pins.verify(tmp_path / "out")


def test_the_location_of_each_file_is_given(pins: Pins, source: Path, tmp_path: Path) -> None:
    materialise(pins, {pin.name: source / pin.name for pin in pins.files}, tmp_path / "out")
    pins.verify(tmp_path / "out")


def test_across_file_systems(
    pins: Pins, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    counts: list[int] = []
    materialise(pins, source, tmp_path / "out", progress=counts.append)
    pins.verify(tmp_path / "out")
    assert sum(counts) == pins.size


def test_a_missing_file(pins: Pins, source: Path, tmp_path: Path) -> None:
    (source / "config.json").unlink()
    with pytest.raises(WeightsError, match=r"config\.json is missing from .*Fetch the weights"):
        materialise(pins, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("link", [True, False])
def test_a_changed_file(pins: Pins, source: Path, tmp_path: Path, link: bool) -> None:
    file = source / "model.safetensors"
    file.write_bytes(bytes(file.stat().st_size))
    with pytest.raises(WeightsError, match=r"model\.safetensors has sha256"):
        materialise(pins, source, tmp_path / "out", link=link)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_a_folder_that_holds_something(pins: Pins, source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("kept")
    with pytest.raises(WeightsError, match="exists already"):
        materialise(pins, source, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]


def test_a_place_that_cannot_be_written(pins: Pins, source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match=r"out: .*Check the path and its permissions"):
        materialise(pins, source, tmp_path / "file" / "out")


def test_interrupt(pins: Pins, source: Path, tmp_path: Path) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        materialise(pins, source, tmp_path / "out", link=False, progress=interrupt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]
