"""Writing a synthetic checkpoint: a config and tensors of any size, in a published layout.

Tensors are written as they are made, so memory does not grow with the checkpoint.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from jax2onnx.files import TensorEntry, safetensors_header
from weights.files.atomic import atomic_file, atomic_folder, check_room
from weights.files.dtypes import BITS
from weights.files.pins import Pin, Pins
from weights.progress import Advance, silent
from weights.synthetic.elements import chunks
from weights.synthetic.tensors import SyntheticTensor, check

SHARD_SIZE: Final = 5_000_000_000
"""The bytes of tensors in one file, at most: the limit of the hub's tools."""

_CHUNK_WORDS: Final = 1 << 16  # fits a core's cache, and is large enough to hide numpy's overhead


def write_checkpoint(
    folder: Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, SyntheticTensor],
    seed: int,
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
        seed: the seed of the random numbers.
        shard_size: the bytes of tensors in one file, at most. More make several files and an index.
        progress: called with the number of bytes of tensors as they are written.

    Returns:
        The pins of all files, taken while they were written.

    Raises:
        WeightsError: a tensor cannot be made, the folder is not empty, or the disk is full.
    """
    for name, tensor in tensors.items():
        check(name, tensor)
    shards = _shards(tensors, shard_size)
    with atomic_folder(folder) as partial:
        check_room(partial, sum(tensor.nbytes for tensor in tensors.values()))
        pins = [_write_json(partial / "config.json", config)]
        for file, names in shards.items():
            chosen = {name: tensors[name] for name in names}
            pins.append(write_safetensors(partial / file, chosen, seed, progress=progress))
        if len(shards) > 1:
            placed = {name: file for file, names in shards.items() for name in names}
            total = sum(tensor.nbytes for tensor in tensors.values())
            index = {"metadata": {"total_size": total}, "weight_map": placed}
            pins.append(_write_json(partial / "model.safetensors.index.json", index))
    return Pins(tuple(pins))


def write_safetensors(
    file: Path,
    tensors: Mapping[str, SyntheticTensor],
    seed: int,
    *,
    chunk_words: int = _CHUNK_WORDS,
    progress: Advance = silent,
) -> Pin:
    """Write one safetensors file in the layout of the reference library, and return its pin.

    Args:
        file: the path of the file.
        tensors: the tensors by name, in any order.
        seed: the seed of the random numbers.
        chunk_words: the number of random words made at a time; the bytes do not depend on it.
        progress: called with the number of bytes of tensors as they are written.

    Raises:
        WeightsError: the file cannot be written.
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
            for chunk in chunks(name, tensors[name], seed, chunk_words):
                raw = chunk.reshape(-1).view(np.uint8).data
                digest.update(raw)
                stream.write(raw)
                progress(len(raw))
    return Pin(file.name, digest.hexdigest(), size)


def _shards(tensors: Mapping[str, SyntheticTensor], shard_size: int) -> dict[str, list[str]]:
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
