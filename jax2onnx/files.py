"""Files that an artifact consists of: atomic writing, and the header of a safetensors file.

This module is public. It needs the standard library alone, so that importing it is cheap.
"""

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

__all__ = [
    "PARTIAL",
    "SafetensorsHeader",
    "TensorEntry",
    "atomic_file",
    "atomic_files",
    "explain",
    "partial_path",
    "safetensors_header",
]

PARTIAL = ".partial"
"""Suffix of the hidden files that hold what is still being written."""

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
    """Open new files that take the places of ``paths``, in that order, when the block ends.

    Each file is written beside its place under a hidden temporary name, flushed to the disk and
    renamed, so that a reader sees the old file or the new one. If the block or the renaming raises
    any exception (Ctrl-C and a full disk included), the temporary files are removed and the files
    at ``paths`` stay as they were.

    Args:
        paths: the files to make or replace. Their folders must exist.

    Yields:
        One writable binary stream for each path.

    Raises:
        OSError: the operating system refused. Its ``filename`` is the entry of ``paths`` and not
            the temporary name; `explain` turns it into a message.
    """
    partials = [partial_path(path) for path in paths]
    streams: list[BinaryIO] = []
    try:
        for partial in partials:
            streams.append(partial.open("xb"))  # noqa: PERF401  those opened so far must be closed
        yield streams
        for stream in streams:
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
        _refuse_folders(paths)
        for partial, path in zip(partials, paths, strict=True):
            partial.replace(path)
        for folder in sorted({path.parent for path in paths}):
            with contextlib.suppress(OSError):  # Some file systems cannot; the files are there.
                _sync_folder(folder)
    except OSError as error:
        if error.errno is not None:  # The operating system's own, not one that a library raised.
            places = dict(zip(map(str, partials), map(str, paths), strict=True))
            failed = str(error.filename or paths[-1])
            error.filename, error.filename2 = places.get(failed, failed), None
        raise
    finally:
        for stream in streams:
            # Closing flushes, and fails again on a full disk. The first failure is raised already.
            with contextlib.suppress(OSError):
                stream.close()
        for partial in partials:
            with contextlib.suppress(OSError):
                partial.unlink()


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open one new file that takes the place of ``path`` when the block ends; see `atomic_files`.

    Yields:
        A writable binary stream.

    Raises:
        OSError: as `atomic_files` raises it.
    """
    with atomic_files([path]) as [stream]:
        yield stream


def partial_path(path: Path) -> Path:
    """Return a hidden temporary name beside ``path``, a new one for each call."""
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}{PARTIAL}")


def explain(error: OSError) -> str:
    """Return one line that names the file, the cause and the remedy of a failure to write."""
    reason = error.strerror or str(error)
    file = error.filename or "the file"
    remedy = _REMEDIES.get(error.errno or 0, "Nothing was written; try again or elsewhere.")
    return f"cannot write {file}: {reason}. {remedy}"


class TensorEntry(NamedTuple):
    """The description of one tensor in the header of a safetensors file.

    Attributes:
        dtype: the element type as safetensors spells it, such as ``"F32"`` or ``"BF16"``.
        shape: the extents in elements; ``()`` is a scalar.
        nbytes: the size of the tensor in bytes.
    """

    dtype: str
    shape: Sequence[int]
    nbytes: int


class SafetensorsHeader(NamedTuple):
    """The beginning of a safetensors file, and where each of its tensors will lie.

    Attributes:
        raw: the first bytes of the file, which the tensors follow without gaps.
        offsets: the position of each tensor's first byte in the file, by name.
    """

    raw: bytes
    offsets: Mapping[str, int]


def safetensors_header(
    tensors: Mapping[str, TensorEntry], metadata: Mapping[str, str]
) -> SafetensorsHeader:
    """Return the header of a safetensors file whose tensors lie in the order of ``tensors``.

    The header is padded with spaces to a multiple of eight bytes, as the safetensors library pads
    it. Give the tensors with the widest elements first, so that each is aligned to its element.

    Args:
        tensors: the tensors by name, in the order in which their bytes will follow.
        metadata: the entries of ``__metadata__``.
    """
    members: dict[str, object] = {"__metadata__": dict(metadata)}
    position = 0
    starts: dict[str, int] = {}
    for name, (dtype, shape, nbytes) in tensors.items():
        starts[name] = position
        members[name] = {
            "dtype": dtype,
            "shape": list(shape),
            "data_offsets": [position, position + nbytes],
        }
        position += nbytes
    text = json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    raw = len(text).to_bytes(8, "little") + text
    return SafetensorsHeader(raw, {name: len(raw) + start for name, start in starts.items()})


def _refuse_folders(paths: Iterable[Path]) -> None:
    """Fail before any file is renamed, and not between the first file and the second."""
    for path in paths:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


def _sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` survive a power cut, where the platform can do so."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
