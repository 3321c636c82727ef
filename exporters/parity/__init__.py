"""Parity tests: references, the comparison, and the search for the module that differs.

``exporters.parity:against_jax`` and ``exporters.parity:stored`` are references for any exporter
(``exporters.parity.generic``). They import JAX, so they are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exporters.parity.generic import against_jax, stored

__all__ = ["against_jax", "stored"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from exporters.parity import generic

    return getattr(generic, name)
