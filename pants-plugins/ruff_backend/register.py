"""Ruff's linter and formatter as Pants' `lint`, `fix` and `fmt`.

Stands in for Pants' own backend, which knows neither `ruff check` nor `ruff format`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pants.backend.python.lint.ruff import skip_field, subsystem

from ruff_backend import rules as ruff_rules


def rules() -> Iterable[Any]:
    """What the backend adds to Pants."""
    return (*ruff_rules.rules(), *skip_field.rules(), *subsystem.rules())
