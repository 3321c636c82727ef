"""Files and folders that appear complete or not at all."""

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from weights.errors import WeightsError

PARTIAL = ".partial"
_STALE_SECONDS = 24 * 3600
_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than the file system or the process limit allows",
}


@contextmanager
def atomic_file(path: Path, size: int = 0) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of ``path`` when the block ends without an exception.

    Whatever happens in the block (an error, a full disk, Ctrl-C), ``path`` holds what it held
    before or the whole new content. The bytes are on the disk before the name is.

    Args:
        path: the file to make or replace; its folder is made when absent.
        size: bytes that will be written, if known; a disk without room is then refused at once.

    Raises:
        WeightsError: the disk is full or the file cannot be written.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        check_room(path.parent, size)
        partial = _partial_of(path)
        try:
            with partial.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder that becomes ``path`` when the block ends without an exception.

    Raises:
        WeightsError: ``path`` exists and is not an empty folder, or cannot be written.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = _partial_of(path)
        try:
            partial.mkdir()
            yield partial
            partial.rename(path)  # an empty folder of that name is replaced, a full one is not
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise WeightsError(
                    f"{path} exists already. Remove it, or choose another place."
                ) from None
            raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into a `WeightsError` about ``path``."""
    try:
        yield
    except OSError as error:
        reason = _FULL.get(error.errno or 0)
        if reason:
            raise WeightsError(
                f"{path} cannot be written: {reason}. Free some space, or choose another place. "
                "Nothing incomplete was left behind."
            ) from None
        where = f" ({error.filename})" if error.filename not in (None, str(path), path) else ""
        raise WeightsError(
            f"{path}: {error.strerror or error}{where}. "
            "Check the path and its permissions, or choose another place."
        ) from None


def check_room(folder: Path, size: int) -> None:
    """Raise `WeightsError` when the disk of ``folder`` has no room for ``size`` bytes."""
    free = shutil.disk_usage(folder).free if size else 0
    if size > free:
        raise WeightsError(
            f"{folder} has room for {free:,} bytes, and {size:,} are to be written. "
            "Free some space, or choose another place."
        )


def sweep(folder: Path, older_than: float = _STALE_SECONDS) -> None:
    """Remove what killed processes left in ``folder`` so many seconds ago, by default a day."""
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
            continue  # another process swept it


def _partial_of(path: Path) -> Path:
    return path.parent / f".{path.name[:100]}.{secrets.token_hex(8)}{PARTIAL}"
