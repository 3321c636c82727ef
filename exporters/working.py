"""Says that something is going on, once it has taken two seconds."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_QUIET_SECONDS = 2.0
_INTERVAL_SECONDS = 1.0


@contextmanager
def working(what: str) -> Iterator[None]:
    """Shows `what` and the seconds that it has taken on a terminal's stderr, and wipes them after."""
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    ticker = threading.Thread(target=_tick, args=(what, done), daemon=True)
    ticker.start()
    try:
        yield
    finally:
        done.set()
        ticker.join()


def _tick(what: str, done: threading.Event) -> None:
    started = time.monotonic()
    if done.wait(_QUIET_SECONDS):
        return
    while True:
        sys.stderr.write(f"\r\x1b[K{what}  {time.monotonic() - started:.0f} s")
        sys.stderr.flush()
        if done.wait(_INTERVAL_SECONDS):
            break
    sys.stderr.write("\r\x1b[K")
    sys.stderr.flush()
