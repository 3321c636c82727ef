"""Compare arrays by their types and within a tolerance. This module imports no converter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.primitives.tolerances import DisagreementError

Array = np.ndarray[Any, Any]


def same_types(wanted: Sequence[Array], found: Sequence[Array]) -> None:
    """Raise ``DisagreementError`` unless the numbers, dtypes and shapes of results are equal."""

    def types(arrays: Sequence[Array]) -> str:
        return ", ".join(f"{x.dtype}{list(x.shape)}" for x in arrays)

    if types(wanted) != types(found):
        raise DisagreementError(f"{types(found)}, expected {types(wanted)}")


def within(tolerance: float | None, label: str, want: Array, got: Array) -> None:
    """Compare values within a tolerance, or exactly where there is none; NaN equals NaN."""
    if tolerance is None:
        close_to = want == got
    else:
        a, b = want.astype(np.float64), got.astype(np.float64)
        scale = np.abs(a[np.isfinite(a)]).max(initial=0)
        close_to = np.isclose(b, a, rtol=tolerance, atol=tolerance * scale, equal_nan=True)
    if not np.all(close_to):
        off = np.argwhere(~np.asarray(close_to))
        where = tuple(off[0])
        raise DisagreementError(
            f"{label}: {len(off)} of {want.size} values differ, first at "
            f"{[int(i) for i in where]}: {got[where]}, expected {want[where]}"
        )
