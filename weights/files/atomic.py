"""Files and folders of weights that appear complete or not at all, with errors that explain."""

import errno
import fcntl
import glob
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from jax2onnx import files
from jax2onnx.files import PARTIAL, explain, partial_path
from weights.errors import WeightsError

_STALE_SECONDS = 24 * 3600
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _SweptError(Exception):
    """Another process removed a new file before it was locked."""


@contextmanager
def atomic_file(path: Path, size: int = 0) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of ``path`` when the block ends without an exception.

    This is ``jax2onnx.files.atomic_file``, which also makes the folder, checks the room on the disk
    and explains errors.

    Args:
        path: the file to make or replace. Its folder is made if it is absent.
        size: the number of bytes that will be written, if it is known. A disk without room is then
            refused before anything is written.

    Yields:
        A writable binary stream.

    Raises:
        WeightsError: the disk is full or the file cannot be written.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        check_room(path.parent, size)
        _sweep_partial(path)
        while True:
            try:
                with files.atomic_file(path) as stream:
                    with suppress(OSError):  # a file system without locks
                        fcntl.flock(stream, fcntl.LOCK_EX)
                    if not os.fstat(stream.fileno()).st_nlink:
                        raise _SweptError
                    yield stream
                    return
            except _SweptError:
                continue


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder that becomes ``path`` when the block ends without an exception.

    Raises:
        WeightsError: ``path`` exists and is not an empty folder, or cannot be written.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(path) as partial:
            yield partial
            try:
                partial.rename(path)  # an empty folder of that name is replaced, a full one is not
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise WeightsError(
                        f"{path} exists already. Remove it, or choose another place."
                    ) from None
                raise


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield a new hidden folder beside ``path``, for what is still being written.

    The folder is removed at the end unless it was renamed. A process that is killed leaves it; the
    next call for the same ``path`` removes it then. A process holds a lock on its own folder, which
    the kernel releases when the process ends, so that folders in use are known.

    Raises:
        OSError: the folder cannot be made.
    """
    _sweep_partial(path)
    while True:
        partial = partial_path(path)
        partial.mkdir()
        with locked(partial):
            # Another process may have swept the folder before it was locked.
            if partial.is_dir():
                try:
                    yield partial
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
                return


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder, which the kernel releases when the process ends.

    Nothing is written. On a file system that has no locks, the block runs without one.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sweep_partial(path: Path) -> None:
    """Remove the unfinished files and folders of ``path`` that killed processes left.

    Those in use are locked. One that was not locked yet is made again by its process.
    """
    for leftover in path.parent.glob(f".{glob.escape(path.name[:100])}.*{PARTIAL}"):
        with suppress(OSError):  # it is in use, or another process has just removed it
            is_folder = leftover.is_dir()
            descriptor = os.open(leftover, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if is_folder:
                    shutil.rmtree(leftover, ignore_errors=True)
                else:
                    leftover.unlink()
            finally:
                os.close(descriptor)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of the block into a ``WeightsError`` about ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            error.filename = str(path)
            raise WeightsError(f"{explain(error)} Nothing incomplete was left behind.") from None
        where = f" ({error.filename})" if error.filename not in (None, str(path), path) else ""
        raise WeightsError(
            f"{path}: {error.strerror or error}{where}. "
            "Check the path and its permissions, or choose another place."
        ) from None


def check_room(folder: Path, size: int) -> None:
    """Check that the disk of a folder has room.

    Raises:
        WeightsError: it has fewer than ``size`` bytes left.
    """
    free = shutil.disk_usage(folder).free if size else 0
    if size > free:
        raise WeightsError(
            f"{folder} has room for {free:,} bytes, and {size:,} are to be written. "
            "Free some space, or choose another place."
        )


def sweep(folder: Path, older_than: float = _STALE_SECONDS) -> None:
    """Remove the unfinished files that killed processes left in a folder.

    Args:
        folder: the folder.
        older_than: the age in seconds from which a file is removed, by default a day.
    """
    horizon = time.time() - older_than
    for leftover in folder.glob(f".*{PARTIAL}"):
        try:
            if leftover.lstat().st_mtime > horizon:
                continue
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)
        except FileNotFoundError:
            continue  # another process removed it
