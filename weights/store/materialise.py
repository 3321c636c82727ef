"""A complete folder of pinned files, to be carried away."""

from collections.abc import Mapping
from pathlib import Path

from weights.errors import WeightsError
from weights.files.atomic import atomic_file, atomic_folder, check_room, explained
from weights.files.pins import Pins
from weights.progress import Advance, silent
from weights.store.place import place


def materialise(
    pins: Pins,
    source: Path | Mapping[str, Path],
    folder: Path,
    *,
    also: Mapping[str, bytes] | None = None,
    link: bool = True,
    progress: Advance = silent,
) -> None:
    """Make ``folder``, holding every pinned file under its own name, complete or not at all.

    Hard links are made where possible, copies elsewhere. ONNX Runtime takes hard-linked external
    data; ``onnx.load`` and ``onnx_ir`` refuse it: pass ``link=False`` for them, and for a folder
    that is to be edited.

    Args:
        pins: the files and their digests; every one is checked on the way.
        source: the folder in which they lie under their names, or where each of them lies.
        folder: must be absent or empty.
        also: further files by name, such as an artifact that uses the weights.
        link: whether hard links will do.
        progress: told of the bytes as they are read; `Pins.size` in all.

    Raises:
        WeightsError: a file is missing or differs, ``folder`` holds something, the disk is full.
    """
    where = {p.name: source / p.name for p in pins.files} if isinstance(source, Path) else source
    if missing := [pin.name for pin in pins.files if not where[pin.name].is_file()]:
        raise WeightsError(
            f"{folder} cannot be made: {', '.join(missing)} is missing"
            f"{f' from {source}' if isinstance(source, Path) else ''}. Fetch the weights first."
        )
    with atomic_folder(folder) as partial:
        if not link:
            check_room(partial, pins.size)
        for pin in pins.files:
            place(where[pin.name], partial / pin.name, pin, link=link, progress=progress)
        for name, content in (also or {}).items():
            with explained(folder / name), atomic_file(partial / name) as stream:
                stream.write(content)
