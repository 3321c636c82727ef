"""Writing a synthetic checkpoint: a config and tensors of any size, in a published layout."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from weights.files.pins import Pin, Pins
from weights.files.writing import SHARD_SIZE, write_file, write_folder
from weights.progress import Advance, silent
from weights.synthetic.elements import chunks
from weights.synthetic.tensors import SyntheticTensor, check

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
    return write_folder(
        folder,
        config,
        tensors,
        lambda name: chunks(name, tensors[name], seed, _CHUNK_WORDS),
        shard_size=shard_size,
        progress=progress,
    )


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
    return write_file(
        file,
        tensors,
        lambda name: chunks(name, tensors[name], seed, chunk_words),
        progress=progress,
    )
