"""The one exception that this package raises for what its user can put right."""

from __future__ import annotations


class ExportError(Exception):
    """A complete message for the user: what was wrong, where, and what to do about it.

    The driver and the command line print it as it stands and exit non-zero, without a traceback.
    """
