"""Options that fix an extent of the inputs, or leave it open under a name."""

from __future__ import annotations

from exporters.errors import ExportError

Extent = int | str
"""A number, or the name of a dimension that stays open."""


def check_extent(option: str, extent: Extent) -> None:
    """Makes sure that `extent`, the value of `option`, is a positive number or a name.

    Raises:
        ExportError: it is neither.
    """
    named = isinstance(extent, str) and extent.isascii() and extent.isidentifier()
    if not named and (type(extent) is not int or extent < 1):
        raise ExportError(
            f"{option} is {extent!r}: give a positive number or, to leave it open, a name such as "
            "'B'."
        )
