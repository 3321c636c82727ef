"""Making a complete folder of pinned files, which can be moved elsewhere."""

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
    places: Mapping[str, str] | None = None,
    also: Mapping[str, bytes] | None = None,
    link: bool = True,
    progress: Advance = silent,
) -> None:
    """Make a folder that holds pinned files at their places. It appears complete or not at all.

    Hard links are made where that is possible, and else copies. ONNX Runtime accepts hard-linked
    external data, but ``onnx.load`` and ``onnx_ir`` refuse it. Pass ``link=False`` for them, and
    for a folder that will be edited.

    Args:
        pins: the files and their digests, all of which are checked.
        source: the folder that holds the files under their names, or the path of each file.
        folder: the new folder; it must be absent or empty.
        places: the path of each file in the new folder. Files without one are left out. By
            default, every file has its own name.
        also: the content of further files by path, such as an artifact that uses the weights.
        link: whether to make hard links.
        progress: called with the number of bytes as they are read, ``Pins.size`` in all.

    Raises:
        WeightsError: a file is missing or differs, ``folder`` holds something, the disk is full.
    """
    where = {p.name: source / p.name for p in pins.files} if isinstance(source, Path) else source
    to = {pin.name: pin.name for pin in pins.files} if places is None else places
    placed = [pin for pin in pins.files if pin.name in to]
    if missing := [pin.name for pin in placed if not where[pin.name].is_file()]:
        raise WeightsError(
            f"{folder} cannot be made: {', '.join(missing)} is missing"
            f"{f' from {source}' if isinstance(source, Path) else ''}. Fetch the weights first."
        )
    with atomic_folder(folder) as partial:
        if not link:
            check_room(partial, sum(pin.size for pin in placed))
        for pin in placed:
            place(where[pin.name], partial / to[pin.name], pin, link=link, progress=progress)
        for name, content in (also or {}).items():
            with explained(folder / name), atomic_file(partial / name) as stream:
                stream.write(content)
