"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from jax2onnx.errors import WriteError

_REMEDIES = {
    errno.ENOSPC: "Free some space, or write to another disk.",
    errno.EDQUOT: "Free some of your quota, or write to another disk.",
    errno.EFBIG: "The file system cannot hold a file of that size; write to another disk.",
    errno.ENOENT: "Create the folder first.",
    errno.ENOTDIR: "A part of the path is a file; give a path inside a folder.",
    errno.EISDIR: "That is a folder; give the path of a file.",
    errno.EACCES: "Choose a folder that you may write to.",
    errno.EPERM: "Choose a folder that you may write to.",
    errno.EROFS: "Choose a folder that is not mounted read-only.",
}


@contextlib.contextmanager
def atomic_files(paths: Sequence[Path]) -> Iterator[list[BinaryIO]]:
    """Open new files that take the places of `paths`, in that order, when the block ends.

    Each is written beside its place under a hidden temporary name, flushed to the disk and renamed,
    so that a reader sees the old file or the new one. If the block, or the placing, ends in any
    exception (Ctrl-C and a full disk included), the temporary files are removed, and what was at
    `paths` stays.

    Raises:
        WriteError: the operating system refused; says which file, why, and the remedy.
    """
    waiting = [path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp") for path in paths]
    files: list[BinaryIO] = []
    try:
        for path in waiting:
            stream = path.open("xb")
            files.append(stream)
        yield files
        for file in files:
            file.flush()
            os.fsync(file.fileno())
            file.close()
        _refuse_folders(paths)
        for temporary, path in zip(waiting, paths, strict=True):
            temporary.replace(path)
        for folder in sorted({path.parent for path in paths}):
            with contextlib.suppress(OSError):  # some file systems cannot; the files are there
                _sync_folder(folder)
    except OSError as error:
        raise WriteError(_explain(error, paths, waiting)) from error
    finally:
        for file in files:
            # Closing flushes, and fails again on a full disk; the first failure is the one to tell.
            with contextlib.suppress(OSError):
                file.close()
        for temporary in waiting:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _refuse_folders(paths: Sequence[Path]) -> None:
    """Fail before anything is placed, not between the first file and the second."""
    for path in paths:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


def _sync_folder(folder: Path) -> None:
    """Make renames in `folder` last through a power cut, where the platform has a way to."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explain(error: OSError, paths: Sequence[Path], waiting: Sequence[Path]) -> str:
    """One line: the file that the user knows of, the cause, the remedy."""
    places = {str(temporary): path for temporary, path in zip(waiting, paths, strict=True)}
    path = places.get(str(error.filename)) or error.filename or paths[-1]
    reason = error.strerror or str(error)
    remedy = _REMEDIES.get(error.errno or 0, "Nothing was written; try again or elsewhere.")
    return f"cannot write {path}: {reason}. {remedy}"
