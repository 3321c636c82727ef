"""Print figures as plain text: the median, followed by the minimum in parentheses."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path


def spread(samples: Iterable[float], digits: int = 2) -> str:
    """Return ``median (minimum)`` of several measurements as text."""
    ordered = sorted(samples)
    return f"{statistics.median(ordered):.{digits}f} ({ordered[0]:.{digits}f})"


def megabytes(count: float) -> str:
    """Return a number of bytes in MB, with three significant digits."""
    return f"{count / 1e6:.3g}" if count < 1e8 else f"{count / 1e6:.0f}"


def heading(title: str) -> None:
    """Print the title of a figure and the load of the machine."""
    load = os.getloadavg()[0]
    print(f"\n## {title}\n\n(load {load:.1f} on {os.cpu_count()} cores)\n", flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table with aligned columns."""
    cells = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    cells.insert(1, ["-" * width for width in widths])
    for row in cells:
        print("| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |")
    print(flush=True)


def verdict(statement: str, holds: bool) -> None:
    """Print whether a figure keeps its limit."""
    print(f"{'holds' if holds else 'MISSED'}: {statement}", flush=True)


def machine() -> str:
    """Return the processor, its cores and the system, as the operating system reports them."""
    name = platform.processor() or platform.machine()
    try:
        with Path("/proc/cpuinfo").open() as file:
            models = [line.partition(":")[2].strip() for line in file if "model name" in line]
        name = models[0] if models else name
    except FileNotFoundError:
        pass  # This is not Linux.
    return (
        f"{name}, {os.cpu_count()} cores, {platform.system()}, CPython {platform.python_version()}"
    )
