"""Reading the arrays of an .npz file, which a stranger may have made.

Sizes are checked before anything is allocated: an entry of a zip archive may be a thousand times
as large as its compressed bytes, and the header of an array may promise any shape.
"""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from exporters.errors import ExportError
from weights.rendering import quoted

_MOST_BYTES = 1 << 30
"""Bytes of all arrays of a file together, at most."""

_MOST_ARRAYS = 10_000
_HEADER_BYTES = 65_536
_MALFORMED = (KeyError, MemoryError, RecursionError, SyntaxError, TypeError, tokenize.TokenError)
_KINDS = "biufcSUV"  # V: bfloat16 and narrower types, as numpy stores them


def read_arrays(data: Path) -> dict[str, np.ndarray]:
    """Return every array of an .npz file, by name.

    Raises:
        ExportError: there is no such file, it is damaged, or it holds too much.
    """
    try:
        if not data.is_file():  # opening a pipe would block for ever
            raise ValueError("it is not a regular file" if data.exists() else "it does not exist")
        if not zipfile.is_zipfile(data):
            raise ValueError("it is not a zip archive")
        with zipfile.ZipFile(data) as archive:
            entries = archive.infolist()
            _check_size(entries)
            names = [entry.filename.removesuffix(".npy") for entry in entries]
            return {n: _array(archive, entry) for n, entry in zip(names, entries, strict=True)}
    except (
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,  # an unknown compression
        RuntimeError,  # an encrypted entry
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ExportError(
            f"{data} cannot be read as an .npz ({error}): restore it, or run the script that "
            "writes it again."
        ) from error


def _check_size(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > _MOST_ARRAYS:
        raise ValueError(f"it holds {len(entries):,} arrays, more than {_MOST_ARRAYS:,}")
    if len({entry.filename for entry in entries}) < len(entries):
        raise ValueError("two of its arrays have one name")
    size = sum(entry.file_size for entry in entries)
    if size > _MOST_BYTES:
        raise ValueError(f"its arrays have {size:,} bytes, more than {_MOST_BYTES:,}")


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    """Return the array of an entry. Its header must describe exactly the bytes that follow."""
    with archive.open(entry) as stream:
        shape, in_columns, dtype = _header(stream, entry.filename)
        if dtype.kind not in _KINDS or dtype.hasobject or dtype.names:
            raise ValueError(f"{quoted(entry.filename)} is of the type {quoted(str(dtype))}")
        count = math.prod(shape)
        content = stream.read()
        if len(content) != count * dtype.itemsize:
            raise ValueError(
                f"{quoted(entry.filename)} holds {len(content):,} bytes, which are not an array of "
                f"the shape {quoted(shape)} and the type {dtype}"
            )
    array = np.frombuffer(bytearray(content), dtype)
    return array.reshape(shape[::-1]).T if in_columns else array.reshape(shape)


def _header(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    try:
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise ValueError(f"the format {version} is not known")
        shape, in_columns, dtype = read(stream, max_header_size=_HEADER_BYTES)
    except _MALFORMED as error:
        raise ValueError(f"{quoted(name)} has a malformed header") from error
    if len(shape) > 64 or not all(0 <= extent < 1 << 63 for extent in shape):
        raise ValueError(f"{quoted(name)} has the shape {quoted(shape)}")
    return shape, in_columns, dtype
