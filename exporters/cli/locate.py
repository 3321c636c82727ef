"""Finds a checkpoint that a person names: a folder, a digest file, or a hub's repository."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from weights import Checkpoint, WeightsError
from weights.net.fetch import fetch
from weights.net.hub import PINNED, pin_hub
from weights.net.web import Access, shown
from weights.progress import Progress
from weights.store.pins import Pins, pin_folder
from weights.store.store import Store


@dataclass(frozen=True)
class Located:
    """A folder and the pins that its files were held against, or that were taken of them."""

    folder: Path
    pins: Pins

    def open(self) -> Checkpoint:
        """The checkpoint in the folder."""
        return Checkpoint.open(self.folder)


def locate(weights: str, store: Path, pins: Path | None = None) -> Located:
    """The checkpoint that `weights` names; what is not on this machine is fetched into `store`.

    With `pins`, the files of a folder must be those.

    Raises:
        WeightsError: there is no such checkpoint, or a file is not what is pinned.
    """
    if weights.startswith("hf://"):
        _refuse_pins(pins, weights)
        return _fetched(pin(weights), Store(store), [])
    path = Path(weights)
    if path.is_dir():
        if pins is None:
            return Located(path, pin(weights))
        wanted = Pins.read(pins)
        with Progress(f"verifying {path}", wanted.size) as progress:
            wanted.verify(path, progress.advance)
        return Located(path, wanted)
    if path.suffix == ".json" and path.is_file():
        _refuse_pins(pins, weights)
        return _fetched(Pins.read(path), Store(store), [path.parent])
    raise WeightsError(
        f"{_shown(weights)} is no folder, no digest file (.json) and no hf:// address. Give one of "
        "these: the folder of a checkpoint, what `python -m exporters pin` wrote, or "
        "hf://org/repo@revision."
    )


def pin(source: str) -> Pins:
    """The digests of a folder or of a hub's repository.

    Raises:
        WeightsError: it can't be read, or holds no safetensors.
    """
    if source.startswith("hf://"):
        with Progress(f"reading {source}", 0) as progress:
            return pin_hub(source, Access.from_environment(), progress=progress.advance)
    folder = Path(source)
    Checkpoint.open(folder)  # says what is wrong with a folder that holds none
    names = sorted(set(_pinned_names(folder)))
    total = sum((folder / name).stat().st_size for name in names)
    with Progress(f"hashing {folder}", total) as progress:
        return pin_folder(folder, names, progress.advance)


def default_store() -> Path:
    """Where fetched weights are kept: below XDG_CACHE_HOME, else below the home folder's .cache."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "onnx-exporters" / "weights"


def _pinned_names(folder: Path) -> Iterator[str]:
    for pattern in PINNED:
        for file in folder.glob(pattern):
            # An artifact that was written beside its weights is none of them.
            if not file.name.endswith(".manifest.json"):
                yield file.name


def _fetched(pins: Pins, store: Store, folders: list[Path]) -> Located:
    access = Access.from_environment()
    with Progress("fetching weights", pins.size) as progress:
        view = fetch(pins, store, access, folders=folders, progress=progress.advance)
    return Located(view, pins)


def _shown(weights: str) -> str:
    """Without a password, should it be a URL."""
    return shown(weights) if "://" in weights else weights


def _refuse_pins(pins: Path | None, weights: str) -> None:
    if pins is not None:
        raise WeightsError(f"--pins holds a folder to its digests, and {weights} is none: omit it.")
