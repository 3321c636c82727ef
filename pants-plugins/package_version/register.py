"""One place for a version: a `python_distribution` has the `__version__` of its package."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from package_version import rules as package_version_rules


def rules() -> Iterable[Any]:
    """What the backend adds to Pants."""
    return package_version_rules.rules()
