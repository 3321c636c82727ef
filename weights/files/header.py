"""The header of a safetensors file, read strictly and with byte offsets.

A safetensors file is an 8-byte little-endian header length, a JSON header, and the tensors' raw
little-endian bytes. An artifact refers to those bytes, so the header must be right to the byte: a
wrong one could make an artifact read another tensor's values. The rules are those of the reference
(``safetensors/src/tensor.rs`` of https://github.com/huggingface/safetensors): the tensors
cover the data exactly, without overlap and without holes.

Only the header is read, never a tensor.
"""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weights.errors import WeightsError
from weights.files.dtypes import BITS
from weights.files.strict_json import MAX_BYTES, parse_object
from weights.rendering import quoted

_MOST_CHARACTERS = 1_000
_MOST_DIMENSIONS = 64  # as many as numpy has
_GET_AGAIN = "Fetch the file again from its source, or write it again."
_WRITE_AGAIN = "Write the file again with the safetensors library."

# Kinds of file that users take for safetensors, by their first bytes, and what to do about each.
_IMPOSTORS = {
    b"version https://git-lfs": (
        "is a Git LFS pointer, not the file itself. Run `git lfs pull` in its repository."
    ),
    b"PK\x03\x04": (
        "is a zip archive, perhaps a torch pickle, which is never read. "
        "Convert it with safetensors.torch.save_file."
    ),
    b"\x80": "is a pickle, which is never read. Convert it with safetensors.torch.save_file.",
    b"<": "is a web page, perhaps a login page, not safetensors. Fetch the file again.",
}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """The place of a tensor.

    Attributes:
        name: the name of the tensor in the checkpoint.
        dtype: the element type as safetensors spells it: ``F32``, ``BF16``, ``U8``, ...
        shape: the extents in elements; ``()`` is a scalar.
        file: the safetensors file that holds the tensor.
        offset: the position of its first byte in the file.
        nbytes: its length in bytes.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    offset: int
    nbytes: int


def read_header(file: Path) -> tuple[list[TensorInfo], dict[str, str]]:
    """Read and check the header of one safetensors file.

    Returns:
        The tensors in the order of their bytes, and the file's ``__metadata__``, empty when absent.

    Raises:
        WeightsError: anything in the file is not as the format demands.
    """
    raw, data_size = _read_raw(file)
    members = parse_object(raw, f"{file}: the header", _GET_AGAIN)
    metadata = _metadata(file, members.pop("__metadata__", {}))
    start = 8 + len(raw)
    tensors = [_tensor(file, start, name, entry) for name, entry in members.items()]
    # An empty tensor may share its offset with its neighbour. It must come first.
    tensors.sort(key=lambda tensor: (tensor.offset, tensor.nbytes, tensor.name))
    _check_coverage(file, start, data_size, tensors)
    return tensors, metadata


def _read_raw(file: Path) -> tuple[bytes, int]:
    """Return the header's bytes and the number of bytes that follow it."""
    if not file.is_file():  # opening a pipe would block for ever
        state = "is not a regular file" if file.exists() else "does not exist"
        raise WeightsError(f"{file} {state}. Fetch it, or correct the path.")
    try:
        stream = file.open("rb", buffering=0)
    except OSError as error:
        raise WeightsError(f"{file} cannot be opened: {error.strerror}.") from None
    with stream:
        size = os.fstat(stream.fileno()).st_size
        prefix = stream.read(64)
        if len(prefix) < 10:
            raise WeightsError(
                f"{file} is truncated: {len(prefix)} bytes cannot hold a safetensors header. "
                f"{_GET_AGAIN}"
            )
        if prefix[8:9] != b"{":
            problems = [text for magic, text in _IMPOSTORS.items() if prefix.startswith(magic)]
            raise WeightsError(
                f"{file} {problems[0]}"
                if problems
                else f"{file} is not safetensors: its header does not begin with '{{'. {_GET_AGAIN}"
            )
        length = int.from_bytes(prefix[:8], "little")
        if length > MAX_BYTES:
            raise WeightsError(
                f"{file} declares a header of {length} bytes; at most {MAX_BYTES:,} are read. "
                f"It is corrupt or not safetensors. {_GET_AGAIN}"
            )
        if 8 + length > size:
            raise WeightsError(
                f"{file} is truncated: it declares a header of {length} bytes and is "
                f"{size} bytes long. {_GET_AGAIN}"
            )
        stream.seek(8)
        raw = stream.read(length)
    return raw, size - 8 - length


def _metadata(file: Path, metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise WeightsError(
            f"{file}: __metadata__ in the header must map names to strings. {_WRITE_AGAIN}"
        )
    return metadata


def _is_natural(value: Any) -> bool:
    # `True` is an int in Python and is not one in JSON.
    return type(value) is int and 0 <= value < 1 << 63


def _tensor(file: Path, start: int, name: str, entry: Any) -> TensorInfo:
    """Return the tensor of one entry of the header, which is checked."""

    def wrong(what: str) -> WeightsError:
        return WeightsError(f"{file}: tensor {quoted(name)}: {what}. {_WRITE_AGAIN}")

    # Names end up in artifacts, error messages and terminals.
    if not name.isprintable() or not 0 < len(name) <= _MOST_CHARACTERS:
        raise wrong(
            f"its name is empty, has unprintable characters, or more than {_MOST_CHARACTERS:,}"
        )
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise wrong("its entry must hold exactly dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise wrong(f"its dtype {quoted(dtype)} is none of {', '.join(BITS)}")
    if not isinstance(shape, list) or not all(map(_is_natural, shape)):
        raise wrong(f"its shape {quoted(shape)} is not a list of natural numbers")
    if len(shape) > _MOST_DIMENSIONS:
        raise wrong(f"its shape has {len(shape):,} dimensions, more than {_MOST_DIMENSIONS}")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_natural, offsets)):
        raise wrong(f"its data_offsets {quoted(offsets)} are not two natural numbers")
    begin, end = offsets
    bits = math.prod(shape) * BITS[dtype]
    if bits % 8:
        raise wrong(f"{dtype} of shape {quoted(shape)} does not fill whole bytes")
    if end - begin != bits // 8:
        raise wrong(f"{dtype} of shape {quoted(shape)} takes {bits // 8} bytes, not {begin}..{end}")
    return TensorInfo(name, dtype, tuple(shape), file, start + begin, end - begin)


def _check_coverage(file: Path, start: int, data_size: int, tensors: Iterable[TensorInfo]) -> None:
    """Check that tensors, in the order of their offsets, cover the data exactly."""
    position, before, limit = start, "the header", start + data_size
    for tensor in tensors:
        end = tensor.offset + tensor.nbytes
        if end > limit:
            raise WeightsError(
                f"{file} is truncated or corrupt: tensor {tensor.name!r} ends at byte {end}, "
                f"past the end of the file ({limit} bytes). {_GET_AGAIN}"
            )
        if tensor.offset < position:
            raise WeightsError(
                f"{file}: tensor {tensor.name!r} overlaps tensor {before!r} "
                f"by {position - tensor.offset} bytes. {_WRITE_AGAIN}"
            )
        if tensor.offset > position:
            raise WeightsError(
                f"{file}: {tensor.offset - position} bytes between {before!r} and tensor "
                f"{tensor.name!r} belong to no tensor. {_WRITE_AGAIN}"
            )
        position, before = end, tensor.name
    if position != limit:
        raise WeightsError(
            f"{file}: {limit - position} bytes after {before!r} belong to no tensor. {_WRITE_AGAIN}"
        )
