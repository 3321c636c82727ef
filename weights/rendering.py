"""Foreign text in messages: bounded, and without characters that a terminal would obey.

Names, values and paths in messages come from files, servers and arguments that nobody here wrote.
The exceptions of this repository pass their messages through ``rendered``, and their authors show
values with ``quoted``.
"""

import json
import reprlib

_MOST_CHARACTERS = 2_000
_MOST_LINES = 200
_MOST_OF_A_VALUE = 200


def rendered(text: str) -> str:
    """Return a message as it may be printed.

    Characters that are not printable (escape sequences, reversed writing, halves of surrogates)
    become escapes. Of a line of more than 2,000 characters the beginning and the
    end remain, and of more than 200 lines the first and the last ones.
    """
    lines = text.split("\n") if len(text) < 1 << 20 else _cut(text, 1 << 20).split("\n")
    if len(lines) > _MOST_LINES:
        half = _MOST_LINES // 2
        left_out = f"... ({len(lines) - 2 * half:,} lines left out) ..."
        lines = [*lines[:half], left_out, *lines[-half:]]
    return "\n".join(_printable(_cut(line, _MOST_CHARACTERS)) for line in lines)


def escaped(json_text: str) -> str:
    """Return a JSON text with escapes in place of unprintable characters, which are in strings."""
    return "".join(
        char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in json_text
    )


def quoted(value: object) -> str:
    """Return a value as in Python's source, in at most 200 characters."""
    return _cut(_brief.repr(value), _MOST_OF_A_VALUE)


class _Brief(reprlib.Repr):
    """A ``repr`` whose time and size do not grow with the value."""

    def repr_int(self, x: int, level: int) -> str:
        """Return the digits of an integer, or how many bits it has."""
        bits = x.bit_length()
        return repr(x) if bits < 512 else f"<an integer of {bits:,} bits>"


_brief = _Brief()
_brief.maxstring = _brief.maxother = _MOST_OF_A_VALUE
_brief.maxlist = _brief.maxtuple = _brief.maxdict = 8
_brief.maxlevel = 3


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}... ({len(text) - 2 * half:,} characters left out) ...{text[-half:]}"


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
