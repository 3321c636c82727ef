"""A content-addressed folder of weights, outside any repository and any build sandbox.

    sha256/<hex>            the files, by their digest
    verified/<hex>          inode, times and size of the file when its digest was last checked
    views/<set>/<name>      hard links under the files' own names, one folder for each set of pins
    partial/<hex>           unfinished downloads, which a later download continues

ONNX Runtime and other loaders need files under their own names and refuse symbolic links out of a
folder. So a view consists of hard links, which take no space. Many processes may use a store at the
same time.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from jax2onnx.files import PARTIAL
from weights.errors import WeightsError
from weights.files.atomic import atomic_file, explained, sweep
from weights.files.hashing import State
from weights.files.pins import Pin, Pins, check_file
from weights.progress import Advance, silent
from weights.store.place import hard_link, place


class Store:
    """The store in the folder ``root``, which is made when a file is first added."""

    def __init__(self, root: Path):
        self.root = Path(root)

    def path(self, pin: Pin) -> Path:
        """Return the path of the file of ``pin``, which need not exist."""
        return self.root / "sha256" / pin.sha256

    def partial(self, pin: Pin) -> Path:
        """Return the path of an unfinished download of ``pin``, which need not exist."""
        return self.root / "partial" / pin.sha256

    def find(self, pin: Pin, progress: Advance = silent) -> Path | None:
        """Return the file of ``pin``, or None when the store does not hold it.

        The digest is checked once, and again if the inode, the size, a time or the number of links
        has changed: see ``State``.

        Raises:
            WeightsError: the content of the file does not have the digest in its name.
        """
        file = self.path(pin)
        if not file.is_file():
            return None
        stamp = self.root / "verified" / pin.sha256
        if not (stamp.is_file() and stamp.read_text() == str(State.of(file))):
            where = file.resolve()  # in a sandbox the store is reached through a link
            try:
                self._note(pin, check_file(where, pin, progress))
            except WeightsError as error:
                raise WeightsError(f"the store is corrupt: {error} Remove {where} first.") from None
        return file

    def add(self, file: Path, pin: Pin, progress: Advance = silent) -> Path:
        """Add a file to the store, by a hard link if that is possible, and return its path there.

        Args:
            file: the file.
            pin: the expected content.
            progress: called with the number of bytes as they are read.

        Raises:
            WeightsError: the content of ``file`` is not what ``pin`` says, or the disk is full.
        """
        found = self.find(pin, progress)
        if found is None:
            found = self.path(pin)
            sweep(self.root)
            sweep(found.parent)
            place(file, found, pin, progress=progress)
            self._note(pin, State.of(found))
        return found

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield an empty folder on the store's file system, removed at the end: see ``adopt``.

        A process with such a folder holds a shared lock, which the kernel releases when the process
        ends. A process that gets the lock exclusively knows that all existing folders are left from
        killed processes, and removes them.
        """
        parent = self.root / "partial"
        with explained(parent):
            parent.mkdir(parents=True, exist_ok=True)
            with (parent / ".lock").open("wb") as lock:
                with suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    sweep(parent, older_than=0)
                fcntl.flock(lock, fcntl.LOCK_SH)
                folder = Path(tempfile.mkdtemp(prefix=".", suffix=PARTIAL, dir=parent))
                try:
                    yield folder
                finally:
                    shutil.rmtree(folder, ignore_errors=True)

    def adopt(self, folder: Path, pins: Pins) -> None:
        """Move the files of a folder in ``scratch`` into the store, without reading them again.

        The digests must have been taken while the files were written.
        """
        for pin in pins.files:
            if self.find(pin) is None:
                self._move(folder / pin.name, pin)

    @contextmanager
    def receiving(self, pin: Pin) -> Iterator[BinaryIO | None]:
        """Yield the partial download of ``pin``, open for reading and writing and locked, or None.

        None means that the store holds the file, perhaps because another process has just finished
        receiving it. Call ``keep`` when the partial file is complete. Otherwise the file stays, and
        a later download continues it.
        """
        partial = self.partial(pin)
        with explained(partial):
            partial.parent.mkdir(parents=True, exist_ok=True)
        while True:
            if self.find(pin) is not None:
                yield None
                return
            with explained(partial):
                stream = os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT, 0o666), "r+b", 0)
                fcntl.flock(stream, fcntl.LOCK_EX)
            with stream:
                # The previous holder of the lock may have renamed or removed the opened file.
                if partial.exists() and os.path.samestat(os.fstat(stream.fileno()), partial.stat()):
                    yield stream
                    return

    def keep(self, pin: Pin, stream: BinaryIO) -> Path:
        """Make a complete partial file, whose digest was checked, the file of ``pin``."""
        with explained(self.path(pin)):
            os.fsync(stream.fileno())
        return self._move(self.partial(pin), pin)

    def discard(self, pin: Pin) -> None:
        """Remove the partial download of ``pin``."""
        self.partial(pin).unlink(missing_ok=True)

    def view(self, pins: Pins, progress: Advance = silent) -> Path:
        """Return a folder in which every file of ``pins`` lies under its own name, verified.

        Raises:
            WeightsError: a file is missing or corrupt, or the file system has no hard links.
        """
        missing = [pin.name for pin in pins.files if self.find(pin, progress) is None]
        if missing:
            raise WeightsError(
                f"the store {self.root.resolve()} does not hold {', '.join(missing)}. "
                "Fetch them from the pins' origin, or name a folder that holds them."
            )
        folder = self.root / "views" / pins.digest
        sweep(folder)
        for pin in pins.files:
            file, named = self.path(pin), folder / pin.name
            if named.exists() and named.samefile(file):
                continue
            before = State.of(file)
            if not hard_link(file, named):
                raise WeightsError(
                    f"{named} cannot be made a hard link: the file system of {self.root} has none. "
                    "Place the store on another one."
                )
            after = State.of(file)
            if after.content == before.content:
                self._note(pin, after)  # the link has changed the state
        return folder

    def _move(self, source: Path, pin: Pin) -> Path:
        file = self.path(pin)
        with explained(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            source.chmod(0o444)  # nobody should edit it by mistake
            source.replace(file)
        self._note(pin, State.of(file))
        return file

    def _note(self, pin: Pin, state: State) -> None:
        """Record the state that the file of ``pin`` had when its digest was checked."""
        with atomic_file(self.root / "verified" / pin.sha256) as stream:
            stream.write(str(state).encode())
