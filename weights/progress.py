"""A progress line on the terminal for work that takes longer than two seconds."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

Advance = Callable[[int], None]
"""A function that receives the number of bytes just done; negative if some are to be redone."""

_QUIET_SECONDS = 2.0
_INTERVAL_SECONDS = 0.2


def silent(_: int) -> None:
    """Show no progress."""


class Progress:
    """A line on stderr that shows what is being done, how much of it is done, and how fast.

    It appears after two seconds, only on a terminal, and is erased at the end::

        with Progress("reading model.safetensors", size) as progress:
            hash_file(path, progress.advance)
    """

    def __init__(self, label: str, total: int, stream: TextIO | None = None):
        self.label = label
        self.total = total
        self.done = 0
        self._stream = sys.stderr if stream is None else stream
        self._wanted = self._stream.isatty()
        self._shown = False

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        self._next = self._started + _QUIET_SECONDS
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def advance(self, count: int) -> None:
        """Record that ``count`` more bytes are done."""
        self.done += count
        if self._wanted and (now := time.monotonic()) >= self._next:
            self._next = now + _INTERVAL_SECONDS
            self._shown = True
            self._stream.write(f"\r\x1b[K{self.line(now - self._started)}")
            self._stream.flush()

    def line(self, seconds: float) -> str:
        """Return the line to show after ``seconds`` of work."""
        rate = self.done / seconds if seconds > 0 else 0.0
        parts = [self.label, f"{100 * self.done // self.total} %" if self.total else ""]
        parts += [f"{megabytes(self.done)} of {megabytes(self.total)}", f"{megabytes(rate)}/s"]
        if rate and self.total > self.done:
            parts.append(f"{(self.total - self.done) / rate:.0f} s left")
        return "  ".join(part for part in parts if part)


def megabytes(count: float) -> str:
    """Return a number of bytes with its unit: ``1.3 MB``, ``13.8 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.95 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
