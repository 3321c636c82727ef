"""Writing a checkpoint: a config and tensors whose elements are made while they are written.

Memory does not grow with the checkpoint.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from jax2onnx.files import TensorEntry, safetensors_header
from weights.errors import WeightsError
from weights.files.atomic import atomic_file, atomic_folder, check_room
from weights.files.dtypes import BITS, Array
from weights.files.pins import Pin, Pins
from weights.progress import Advance, silent
from weights.rendering import quoted

SHARD_SIZE: Final = 5_000_000_000
"""The bytes of tensors in one file, at most: the limit of the hub's tools."""


class Described(Protocol):
    """The type and shape of a tensor."""

    @property
    def dtype(self) -> str:
        """The element type as safetensors spells it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents in elements."""

    @property
    def nbytes(self) -> int:
        """The size in bytes."""


Elements = Callable[[str], Iterable[Array]]
"""Returns the elements of the tensor of a name, in order, in arrays of any length."""


def write_folder(
    folder: Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, Described],
    elements: Elements,
    *,
    shard_size: int = SHARD_SIZE,
    progress: Advance = silent,
) -> Pins:
    """Write ``config.json`` and the safetensors files of a checkpoint.

    The bytes depend on the arguments alone, and not on the order of ``tensors``. The folder appears
    complete or not at all.

    Args:
        folder: the folder to make; it must be absent or empty.
        config: the content of ``config.json``.
        tensors: the tensors by name.
        elements: makes their elements.
        shard_size: the bytes of tensors in one file, at most. More make several files and an index.
        progress: called with the number of bytes of tensors as they are written.

    Returns:
        The pins of all files, taken while they were written.

    Raises:
        WeightsError: the folder is not empty, or the disk is full.
    """
    shards = _shards(tensors, shard_size)
    with atomic_folder(folder) as partial:
        check_room(partial, sum(tensor.nbytes for tensor in tensors.values()))
        pins = [_write_json(partial / "config.json", config)]
        for file, names in shards.items():
            chosen = {name: tensors[name] for name in names}
            pins.append(write_file(partial / file, chosen, elements, progress=progress))
        if len(shards) > 1:
            placed = {name: file for file, names in shards.items() for name in names}
            total = sum(tensor.nbytes for tensor in tensors.values())
            index = {"metadata": {"total_size": total}, "weight_map": placed}
            pins.append(_write_json(partial / "model.safetensors.index.json", index))
    return Pins(tuple(pins))


def write_file(
    file: Path,
    tensors: Mapping[str, Described],
    elements: Elements,
    *,
    progress: Advance = silent,
) -> Pin:
    """Write one safetensors file in the layout of the reference library, and return its pin.

    Args:
        file: the path of the file.
        tensors: the tensors by name, in any order.
        elements: makes their elements.
        progress: called with the number of bytes of tensors as they are written.

    Raises:
        WeightsError: the file cannot be written, or a tensor has another number of elements.
    """
    # The reference library puts wide types first, so that each tensor is aligned to its element.
    ranks = {dtype: rank for rank, dtype in enumerate(BITS)}
    order = sorted(tensors, key=lambda name: (-ranks[tensors[name].dtype], name))
    entries = {
        name: TensorEntry(tensors[name].dtype, tensors[name].shape, tensors[name].nbytes)
        for name in order
    }
    header = safetensors_header(entries, {"format": "pt"}).raw  # loaders insist on that entry
    size = len(header) + sum(tensor.nbytes for tensor in tensors.values())
    digest = hashlib.sha256(header)
    with atomic_file(file, size) as stream:
        stream.write(header)
        for name in order:
            written = 0
            for chunk in elements(name):
                raw = chunk.reshape(-1).view(np.uint8).data
                digest.update(raw)
                stream.write(raw)
                progress(len(raw))
                written += len(raw)
            if written != tensors[name].nbytes:
                raise WeightsError(
                    f"{file}: {written:,} bytes were made of tensor {quoted(name)}, which has "
                    f"{tensors[name].nbytes:,}. Correct the function that makes it."
                )
    return Pin(file.name, digest.hexdigest(), size)


def _shards(tensors: Mapping[str, Described], shard_size: int) -> dict[str, list[str]]:
    """Return the names of the tensors in each file, in order, at most ``shard_size`` bytes."""
    groups: list[list[str]] = [[]]
    filled = 0
    for name in sorted(tensors):
        if groups[-1] and filled + tensors[name].nbytes > shard_size:
            groups.append([])
            filled = 0
        groups[-1].append(name)
        filled += tensors[name].nbytes
    if len(groups) == 1:
        return {"model.safetensors": groups[0]}
    return {
        f"model-{number:05d}-of-{len(groups):05d}.safetensors": group
        for number, group in enumerate(groups, 1)
    }


def _write_json(file: Path, value: Mapping[str, Any]) -> Pin:
    raw = (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
    with atomic_file(file) as stream:
        stream.write(raw)
    return Pin(file.name, hashlib.sha256(raw).hexdigest(), len(raw))
