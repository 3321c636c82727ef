"""Options that fix an extent of the inputs, or leave it open under a name."""

from __future__ import annotations

from collections.abc import Collection

from exporters.errors import ExportError

Extent = int | str
"""A number, or the name of a dimension that stays open."""


def check_extent(option: str, extent: Extent, *, taken: Collection[object] = ()) -> None:
    """Makes sure that `extent`, the value of `option`, is a positive number or a name.

    Args:
        option: its name, for the message.
        extent: its value.
        taken: extents of other dimensions. Two of one name would have to be equal at run time.

    Raises:
        ExportError: it is neither, or a name that is taken.
    """
    named = isinstance(extent, str) and extent.isascii() and extent.isidentifier()
    if not named and (type(extent) is not int or extent < 1):
        raise ExportError(
            f"{option} is {extent!r}: give a positive number or, to leave it open, a name such as "
            "'B'."
        )
    if named and extent in taken:
        raise ExportError(
            f"{option} is {extent!r}, which is the name of another dimension: give it its own."
        )
