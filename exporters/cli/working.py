"""A progress line on the terminal for work that takes longer than two seconds."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

_QUIET_SECONDS = 2.0
_INTERVAL_SECONDS = 1.0


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Show ``what`` and the seconds that it has taken, and erase that line at the end.

    The line appears on stderr if that is a terminal.

    Yields:
        A function that prints a line while the work is going on.
    """
    if not sys.stderr.isatty():
        yield click.echo
        return
    done = threading.Event()
    ticker = threading.Thread(target=_tick, args=(what, done), daemon=True)
    ticker.start()
    try:
        yield _print_over
    finally:
        done.set()
        ticker.join()


def _print_over(line: str) -> None:
    _show("")
    click.echo(line)


def _show(line: str) -> None:
    sys.stderr.write(f"\r\x1b[K{line}")
    sys.stderr.flush()


def _tick(what: str, done: threading.Event) -> None:
    started = time.monotonic()
    if done.wait(_QUIET_SECONDS):
        return
    while True:
        _show(f"{what}  {time.monotonic() - started:.0f} s")
        if done.wait(_INTERVAL_SECONDS):
            break
    _show("")
