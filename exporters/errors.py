"""The exception that this package raises for a mistake that its user can correct."""

from __future__ import annotations

from weights.rendering import rendered


class ExportError(Exception):
    """A mistake of the user. The message says what is wrong, where, and what to do about it.

    The drivers and the command line print the message as it stands and exit with a status other
    than zero, without a traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(rendered(message))
