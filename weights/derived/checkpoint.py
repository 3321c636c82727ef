"""Writing a derived checkpoint, and the record of what it was derived from.

What a kernel needs in another layout is computed once, from pinned tensors. The function must give
the same bytes on every machine: it may move and widen data, and compute where IEEE 754 rounds in
one way only, but it must not use ``exp``, sums of many values and the like.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from weights.errors import WeightsError
from weights.files.checkpoint import Checkpoint
from weights.files.dtypes import BITS, Array
from weights.files.pins import Pins
from weights.files.writing import SHARD_SIZE, write_folder
from weights.progress import Advance, silent

RECORD: Final = "derived_from"
"""The member of ``config.json`` that holds the provenance."""


@dataclass(frozen=True, slots=True, eq=False)
class DerivedTensor:
    """One tensor of a derived checkpoint.

    Attributes:
        dtype: the element type as safetensors spells it.
        shape: the extents in elements.
        elements: returns the elements in order, in arrays of any length. It is called once.
    """

    dtype: str
    shape: tuple[int, ...]
    elements: Callable[[], Iterable[Array]]

    @property
    def nbytes(self) -> int:
        """Return the size in bytes."""
        return math.prod(self.shape) * BITS[self.dtype] // 8


def write_derived(
    folder: Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, DerivedTensor],
    function: str,
    sources: Pins,
    *,
    shard_size: int = SHARD_SIZE,
    progress: Advance = silent,
) -> Pins:
    """Write a derived checkpoint; its ``config.json`` records the function and the sources.

    The folder appears complete or not at all.

    Args:
        folder: the folder to make; it must be absent or empty.
        config: the content of ``config.json``, to which the record is added.
        tensors: the tensors by name.
        function: the function that made them, as ``package.module:function``.
        sources: the files that it read, and their digests.
        shard_size: the bytes of tensors in one file, at most. More make several files and an index.
        progress: called with the number of bytes of tensors as they are written.

    Returns:
        The pins of all files, taken while they were written.

    Raises:
        WeightsError: the config has a record already, the folder is not empty, the disk is full.
    """
    if RECORD in config:
        raise WeightsError(
            f"config.json has a member {RECORD!r}: this checkpoint is derived already. Give the "
            "checkpoint that it was derived from."
        )
    record = {"function": function, "files": [asdict(pin) for pin in sources.files]}
    return write_folder(
        folder,
        {**config, RECORD: record},
        tensors,
        lambda name: tensors[name].elements(),
        shard_size=shard_size,
        progress=progress,
    )


def provenance(checkpoint: Checkpoint) -> Mapping[str, Any] | None:
    """Return the function and the files that a checkpoint was derived from, or None.

    Raises:
        WeightsError: ``config.json`` has such a record in another form.
    """
    file = checkpoint.folder / "config.json"
    record = checkpoint.json().get(RECORD) if file.exists() else None
    if record is not None and not isinstance(record, dict):
        raise WeightsError(f"{file}: {RECORD} must be an object. Derive the checkpoint again.")
    return record
