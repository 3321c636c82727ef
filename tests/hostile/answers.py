"""Answers of servers, as the bytes that they send."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

Script = Callable[[str, str], Iterable[bytes]]
"""Returns the pieces of an answer, for the path behind the script's name and the script's URL."""

Case = tuple[str, Script, str]
"""The name of an entry, the script of its server, and a part of the message."""


def http(status: int | str, body: bytes = b"", length: object = None, **headers: object) -> bytes:
    """Return an answer."""
    lines = [f"HTTP/1.1 {status} X"]
    sent = {
        "Content_Type": "application/octet-stream",
        "Content_Length": len(body) if length is None else length,
        **headers,
    }
    lines += [
        f"{name.replace('_', '-')}: {value}" for name, value in sent.items() if value is not False
    ]
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


def always(*pieces: bytes) -> Script:
    """Return a script that sends these pieces."""
    return lambda path, url: pieces


def forever(first: bytes, again: bytes) -> Script:
    """Return a script that never ends: ``first``, and then ``again`` without end."""
    return lambda path, url: itertools.chain([first], itertools.repeat(again))
