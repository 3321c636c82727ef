"""The text of an error, as the tables of the documentation show it."""

from __future__ import annotations

import re


def one_line(error: BaseException, length: int = 200) -> str:
    """Return an error on one line, cut to a length, without machine-dependent parts."""
    text = " ".join(str(error).split())
    text = re.sub(r"(?<!\w)/[^\s:]+(?:(?::\d+)+(?: \([^)]*\))?)?", "...", text)
    text = re.sub(r"0x[0-9a-f]+", "...", text)
    return f"{type(error).__name__}: {text}"[:length]
