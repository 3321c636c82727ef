"""A pinned file put where it is wanted: linked where that is possible, copied where it is not."""

import errno
import hashlib
import os
from pathlib import Path

from jax2onnx.files import partial_path
from weights.errors import WeightsError
from weights.files.atomic import atomic_file, explained
from weights.files.pins import Pin, check_file
from weights.progress import Advance, silent

_BUFFER = 1 << 22
# Another file system, one without hard links, a file of another owner, too many links already.
_CANNOT_LINK = {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS}


def place(
    source: Path, target: Path, pin: Pin, *, link: bool = True, progress: Advance = silent
) -> None:
    """Make ``target`` a file with the content that ``pin`` says, taken from ``source``.

    A hard link takes no space and no time, but shares the file: who writes to one name changes
    both. Whatever happens, ``target`` is what it was or the whole file, and its digest was checked.

    Args:
        source: the file, or a symbolic link to it.
        target: replaced when it exists.
        pin: what the content must be.
        link: whether a hard link will do; where none is possible the file is copied.
        progress: told of the bytes as they are read.

    Raises:
        WeightsError: the content differs, or ``target`` cannot be written.
    """
    source = Path(os.path.realpath(source))
    if link:
        check_file(source, pin, progress)
        if hard_link(source, target):
            return
        progress(-pin.size)
    _copy(source, target, pin, progress)


def hard_link(source: Path, target: Path) -> bool:
    """Make ``target`` another name of the file ``source``; False where the system cannot."""
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
            # Renaming one name of a file to another name of it does nothing, by POSIX.
            partial.unlink(missing_ok=True)
    return True


def _copy(source: Path, target: Path, pin: Pin, progress: Advance) -> None:
    """Copy, hashing the bytes on their way, so that what was written is what was checked."""
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
