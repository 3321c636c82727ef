"""Options for the size of a dimension of the inputs: a number, or a name that leaves it open."""

from __future__ import annotations

from collections.abc import Collection

from exporters.errors import ExportError
from exporters.model.config import MOST_ELEMENTS
from weights import Checkpoint
from weights.rendering import quoted

Extent = int | str
"""The size of a dimension, or the name of a dimension that stays open."""


def check_extent(option: str, extent: Extent, *, taken: Collection[object] = ()) -> None:
    """Check that the value of an option is a positive number or a free name.

    Args:
        option: the name of the option, for the message.
        extent: the value of the option.
        taken: the extents of other dimensions. Two dimensions of one name would have to be equal.

    Raises:
        ExportError: the value is neither, or it is a name that is taken.
    """
    named = isinstance(extent, str) and extent.isascii() and extent.isidentifier()
    if not named and (type(extent) is not int or extent < 1):
        raise ExportError(
            f"{option} is {quoted(extent)}: give a positive number or, to leave it open, a name "
            "such as 'B'."
        )
    if isinstance(extent, int) and extent > MOST_ELEMENTS:
        raise ExportError(f"{option} is {quoted(extent)}: give at most {MOST_ELEMENTS:,}.")
    if named and extent in taken:
        raise ExportError(
            f"{option} is {quoted(extent)}, which is the name of another dimension: give it "
            "another name."
        )


def check_layers(layers: int, checkpoint: Checkpoint) -> None:
    """Check that a config does not promise more layers than its checkpoint can hold.

    The model is built before its tensors are compared with the checkpoint's.

    Raises:
        ExportError: there are more layers than tensors.
    """
    if layers > len(checkpoint.tensors):
        raise ExportError(
            f"{checkpoint.folder / 'config.json'} has {layers:,} layers, but the checkpoint only "
            f"{len(checkpoint.tensors):,} tensors. Check that they belong to each other and are "
            "complete."
        )
