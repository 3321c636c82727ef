"""Digests of files, and the states by which a change of a file is noticed."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from weights.errors import WeightsError
from weights.files.atomic import explained
from weights.progress import Advance, silent

_BUFFER = 1 << 22


@dataclass(frozen=True, slots=True)
class State:
    """The state of a file, which differs whenever its content may have changed.

    Attributes:
        content: inode, time of the last write, and size.
        changed: the time of the last change of the file's status, which no program can set. It also
            changes with the number of hard links, so another time means: read the file again.
    """

    content: tuple[int, int, int]
    changed: int

    @classmethod
    def of(cls, file: Path) -> "State":
        """Return the state of a file.

        Raises:
            OSError: there is no such file.
        """
        status = file.stat()
        return cls((status.st_ino, status.st_mtime_ns, status.st_size), status.st_ctime_ns)

    def __str__(self) -> str:
        return " ".join(map(str, (*self.content, self.changed)))


def hash_file(file: Path, progress: Advance = silent) -> tuple[str, int]:
    """Return a file's SHA-256 in hexadecimal and its size in bytes."""
    demand_file(file)
    digest = hashlib.sha256()
    size = 0
    buffer = memoryview(bytearray(_BUFFER))
    with explained(file), file.open("rb", buffering=0) as stream:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        while count := stream.readinto(buffer):
            digest.update(buffer[:count])
            size += count
            progress(count)
    return digest.hexdigest(), size


def demand_file(file: Path) -> None:
    """Raise a ``WeightsError`` unless there is a regular file."""
    if not file.is_file():  # opening a pipe would block for ever
        state = "is not a regular file" if file.exists() else "does not exist"
        raise WeightsError(f"{file} {state}. Fetch it, or correct the path.")


def changed(file: Path) -> WeightsError:
    """Return the error for a file that another process changes."""
    return WeightsError(
        f"{file} was changed while it was read. Let nothing write to it, and run again."
    )
