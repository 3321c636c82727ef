"""The primitives that random programs consist of."""

from __future__ import annotations

from tests.properties import arithmetic, structure
from tests.properties.rows import ROWS

__all__ = ["ROWS", "arithmetic", "structure"]
