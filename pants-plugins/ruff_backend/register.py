"""The backend that runs ruff's linter and formatter in the goals ``lint``, ``fix`` and ``fmt``.

It replaces Pants' own backend, which has neither ``ruff check`` nor ``ruff format``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pants.backend.python.lint.ruff import skip_field, subsystem

from ruff_backend import rules as ruff_rules


def rules() -> Iterable[Any]:
    """Return the rules of this backend."""
    return (*ruff_rules.rules(), *skip_field.rules(), *subsystem.rules())
