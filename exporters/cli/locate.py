"""Finding the checkpoint that a user names: a folder, a digest file, or a hub's repository."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from weights import Checkpoint, WeightsError
from weights.files.pins import Pins, hash_folder
from weights.files.side_files import CHECKPOINT_FILES
from weights.net.fetch import fetch
from weights.net.hub import pin_hub
from weights.net.web import Access, shown
from weights.progress import Progress
from weights.store import Store


@dataclass(frozen=True)
class Located:
    """A checkpoint on this machine.

    Attributes:
        folder: the folder of its files.
        pins: the digests that the files were checked against, or that were taken from them.
        check: checks again each file that may have changed since. Call it when the files were read,
            so that what was read is what was hashed.
    """

    folder: Path
    pins: Pins
    check: Callable[[], None]

    def open(self) -> Checkpoint:
        """Open the checkpoint in the folder."""
        return Checkpoint.open(self.folder)


def locate(weights: str, store: Path, pins: Path | None = None) -> Located:
    """Return the checkpoint that ``weights`` names, after fetching what this machine lacks.

    Args:
        weights: a folder, a digest file, or ``hf://org/repo@revision``.
        store: the root of the store that receives fetched files.
        pins: a digest file; the files of a folder must have its digests.

    Raises:
        WeightsError: there is no such checkpoint, or a file differs from its pin.
    """
    if weights.startswith("hf://"):
        _refuse_pins(pins, weights)
        return _fetched(pin(weights), Store(store), [])
    path = Path(weights)
    if path.is_dir():
        if pins is None:
            return _hashed(path)
        wanted = Pins.read(pins)
        with Progress(f"verifying {path}", wanted.size) as progress:
            checked = wanted.verify(path, progress.advance)
        return Located(path, wanted, checked.check)
    if path.suffix == ".json" and path.is_file():
        _refuse_pins(pins, weights)
        return _fetched(Pins.read(path), Store(store), [path.parent])
    raise WeightsError(
        f"{_shown(weights)} is not a folder, a digest file (.json) or an hf:// address. Give the "
        "folder of a checkpoint, a file that `python -m exporters pin` wrote, or "
        "hf://org/repo@revision."
    )


def pin(source: str) -> Pins:
    """Return the digests of a folder or of a hub's repository.

    Raises:
        WeightsError: it cannot be read, or holds no safetensors.
    """
    if source.startswith("hf://"):
        with Progress(f"reading {source}", 0) as progress:
            return pin_hub(source, Access.from_environment(), progress=progress.advance)
    return _hashed(Path(source)).pins


def _hashed(folder: Path) -> Located:
    """Return the checkpoint in a folder with the digests of its files, which are read."""
    Checkpoint.open(folder)  # raises an error for a folder that holds none
    names = sorted(set(_pinned_names(folder)))
    total = sum((folder / name).stat().st_size for name in names)
    with Progress(f"hashing {folder}", total) as progress:
        pins, checked = hash_folder(folder, names, progress.advance)
    return Located(folder, pins, checked.check)


def default_store() -> Path:
    """Return the default store: below ``XDG_CACHE_HOME``, or else below ``~/.cache``."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "onnx-exporters" / "weights"


def _pinned_names(folder: Path) -> Iterator[str]:
    for pattern in CHECKPOINT_FILES:
        for file in folder.glob(pattern):
            # An artifact may lie beside its weights; its manifest is not one of them.
            if not file.name.endswith(".manifest.json"):
                yield file.relative_to(folder).as_posix()


def _fetched(pins: Pins, store: Store, folders: list[Path]) -> Located:
    access = Access.from_environment()
    with Progress("fetching weights", pins.size) as progress:
        view = fetch(pins, store, access, folders=folders, progress=progress.advance)
    return Located(view, pins, lambda: _check_view(pins, store))


def _check_view(pins: Pins, store: Store) -> None:
    store.view(pins)


def _shown(weights: str) -> str:
    """Return the argument for a message: a URL without its password."""
    return shown(weights) if "://" in weights else weights


def _refuse_pins(pins: Path | None, weights: str) -> None:
    if pins is not None:
        raise WeightsError(f"--pins is for a folder, and {weights} is not a folder: omit --pins.")
