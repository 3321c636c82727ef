"""Fetching pinned files, wherever they are."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from weights.errors import WeightsError
from weights.files.pins import Pin, Pins
from weights.net.download import download
from weights.net.web import Access
from weights.progress import Advance, silent
from weights.store import Store


def fetch(
    pins: Pins,
    store: Store,
    access: Access,
    *,
    folders: Sequence[Path] = (),
    progress: Advance = silent,
) -> Path:
    """Bring every pinned file into a store, and return a folder that holds them by name.

    Each file is taken from the store, from one of ``folders``, or from the pins' origin.

    Args:
        pins: the files.
        store: the store. Files that it holds already are neither fetched nor read again.
        access: the hub, the token, and the number of attempts.
        folders: content-addressed folders, which hold files under their SHA-256, directly or in
            ``sha256/``. A store is such a folder, and so is ``blobs`` in the cache of a hub.
        progress: called with the number of bytes as they arrive, ``Pins.size`` in all.

    Raises:
        WeightsError: a file is found nowhere, or differs from its pin.
    """
    for pin in pins.files:
        if store.find(pin) is not None:
            progress(pin.size)
        elif found := _in_folders(pin, folders):
            store.add(found, pin, progress)
        elif pins.origin is not None:
            download(
                f"{pins.origin.rstrip('/')}/{_as_url(pin, pins)}", pin, store, access, progress
            )
        else:
            places = "".join(f", nor in {folder}" for folder in folders)
            raise WeightsError(
                f"{pin.name} (sha256 {pin.sha256}) is not in the store of weights"
                f"{places}, and its pins name no origin to fetch it from. Give them an origin, or "
                "name a folder that holds it under its sha256."
            )
    return store.view(pins)


def _as_url(pin: Pin, pins: Pins) -> str:
    # The path of an hf:// URL is quoted when it is resolved.
    return pin.name if (pins.origin or "").startswith("hf:") else quote(pin.name)


def _in_folders(pin: Pin, folders: Sequence[Path]) -> Path | None:
    for folder in folders:
        for file in (folder / "sha256" / pin.sha256, folder / pin.sha256):
            if file.is_file():
                return file
    return None
