"""Fetching looks in the store, then in local folders, then at the origin."""

from pathlib import Path

import pytest

from weights import Pin, Pins, SyntheticTensor, Uniform, WeightsError, write_checkpoint
from weights.conftest import Hub
from weights.net.fetch import fetch
from weights.net.web import Access
from weights.store import Store


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.fixture
def pins(source: Path) -> Pins:
    tensor = SyntheticTensor("F32", (64, 64), Uniform(1.0))
    return write_checkpoint(source, {"a": 1}, {"w": tensor}, 0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.mark.parametrize("origin", ["hf://org/repo@0123", "{url}/folder", "{url}/folder/"])
def test_from_the_origin(hub: Hub, source: Path, pins: Pins, store: Store, origin: str) -> None:
    for pin in pins.files:
        content = (source / pin.name).read_bytes()
        hub.answers[f"/org/repo/resolve/0123/{pin.name}"] = content
        hub.answers[f"/folder/{pin.name}"] = content
    counts: list[int] = []
    wanted = Pins(pins.files, origin.format(url=hub.url))
    grant = Access(hub.url, pause=0.0)
    view = fetch(wanted, store, grant, progress=counts.append)
    pins.verify(view)
    assert sum(counts) == pins.size
    assert fetch(wanted, store, grant, progress=counts.append) == view
    assert sum(counts) == 2 * pins.size
    assert len(hub.asked) == 2


@pytest.mark.parametrize("inner", ["", "sha256"])
def test_from_a_content_addressed_folder(
    hub: Hub, source: Path, pins: Pins, store: Store, tmp_path: Path, inner: str
) -> None:
    """Files of a local folder are linked: no request is made, and nothing is copied."""
    blobs = tmp_path / "blobs" / inner
    blobs.mkdir(parents=True)
    for pin in pins.files:
        (source / pin.name).rename(blobs / pin.sha256)
    wanted = Pins(pins.files, hub.url)
    counts: list[int] = []
    folders = [tmp_path / "empty", tmp_path / "blobs"]
    view = fetch(wanted, store, Access(hub.url), folders=folders, progress=counts.append)
    pins.verify(view)
    assert hub.asked == []
    assert sum(counts) == pins.size
    for pin in pins.files:
        assert (view / pin.name).samefile(blobs / pin.sha256)


def test_from_a_file_url_with_spaces(
    hub: Hub, pins: Pins, source: Path, store: Store, tmp_path: Path
) -> None:
    folder = source.rename(tmp_path / "with a space")
    (folder / "config.json").rename(folder / "my config.json")
    renamed = tuple(
        Pin(pin.name.replace("config", "my config"), pin.sha256, pin.size) for pin in pins.files
    )
    wanted = Pins(renamed, folder.as_uri())
    wanted.verify(fetch(wanted, store, Access(hub.url)))


def test_weights_that_are_found_nowhere(pins: Pins, store: Store, tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        fetch(pins, store, Access(), folders=[tmp_path / "blobs"])
    assert f"is not in the store of weights, nor in {tmp_path / 'blobs'}" in str(caught.value)
    assert "name no origin" in str(caught.value)
