"""Placing a pinned file: by a hard link if that is possible, or else by a copy."""

import errno
import hashlib
import os
from pathlib import Path

from jax2onnx.files import partial_path
from weights.errors import WeightsError
from weights.files.atomic import atomic_file, explained
from weights.files.hashing import State, changed
from weights.files.pins import Pin, check_file
from weights.progress import Advance, silent

_BUFFER = 1 << 22
# Errors of another file system, of one without hard links, of foreign files, of too many links.
_CANNOT_LINK = {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS}


def place(
    source: Path, target: Path, pin: Pin, *, link: bool = True, progress: Advance = silent
) -> None:
    """Make ``target`` a file with the content that ``pin`` says, taken from ``source``.

    A hard link takes no space and no time, but the two names share one file: writing to one changes
    the other. If anything fails, ``target`` stays as it was. Its digest is checked in any case.

    Args:
        source: the file, or a symbolic link to it.
        target: the new file, which may exist.
        pin: the expected content.
        link: whether to make a hard link. If that is not possible, the file is copied.
        progress: called with the number of bytes as they are read.

    Raises:
        WeightsError: the content differs or is being changed, or ``target`` cannot be written.
    """
    source = Path(os.path.realpath(source))
    if link:
        checked = check_file(source, pin, progress)
        if hard_link(source, target):
            if State.of(target).content != checked.content:
                target.unlink()
                raise changed(source)
            return
        progress(-pin.size)
    _copy(source, target, pin, progress)


def hard_link(source: Path, target: Path) -> bool:
    """Make ``target`` another name of the file ``source``; return False if that is impossible."""
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = partial_path(target)
        try:
            os.link(source, partial)
            partial.replace(target)
        except OSError as error:
            if error.errno in _CANNOT_LINK:
                return False
            raise
        finally:
            # POSIX: renaming one name of a file to another name of the same file does nothing.
            partial.unlink(missing_ok=True)
    return True


def _copy(source: Path, target: Path, pin: Pin, progress: Advance) -> None:
    """Copy a file, and check the very bytes that are written."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_BUFFER))
    with atomic_file(target, pin.size) as sink, source.open("rb", buffering=0) as stream:
        while count := stream.readinto(buffer):
            digest.update(buffer[:count])
            sink.write(buffer[:count])
            progress(count)
        if digest.hexdigest() != pin.sha256:
            raise WeightsError(
                f"{source} has sha256 {digest.hexdigest()}; {pin.sha256} is pinned for {pin.name}. "
                "Fetch it again; if it was meant to change, write the pins again and review the "
                "change."
            )
