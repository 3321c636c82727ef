"""Strict reading of JSON: a file holds one object, and no name occurs twice in an object."""

import json
from pathlib import Path
from typing import Any

from weights.errors import WeightsError
from weights.rendering import quoted

MAX_BYTES = 32_000_000
"""Bytes of a JSON text, at most. The index of a model with 90,000 tensors has 9 MB."""

_MOST_VALUES = 2_000_000
"""Values in a JSON text, at most. They need a hundred times the memory of the text."""

_MOST_DIGITS = 40
"""Digits of an integer, at most: what numbers count, times and lengths, has no more."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {quoted(name)} is given twice")
            seen.add(name)
    return members


def parse(raw: bytes, where: str, remedy: str) -> Any:
    """Return the value of a JSON text.

    Args:
        raw: the text in UTF-8.
        where: the source of the text; it begins error messages.
        remedy: what to do about a fault; it ends error messages.

    Raises:
        WeightsError: not UTF-8, not JSON, nested absurdly deep, a duplicate name, or too much.
    """
    if len(raw) > MAX_BYTES:
        raise WeightsError(f"{where} is larger than {MAX_BYTES:,} bytes. {remedy}")
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > _MOST_VALUES:
        raise WeightsError(f"{where} holds more than {_MOST_VALUES:,} values. {remedy}")
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_int=_integer)
    except RecursionError:
        raise WeightsError(f"{where} is not valid JSON: it is nested too deep. {remedy}") from None
    except ValueError as error:
        raise WeightsError(f"{where} is not valid JSON: {error}. {remedy}") from None


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"an integer has {len(digits):,} digits")
    return int(digits)


def parse_object(raw: bytes, where: str, remedy: str) -> dict[str, Any]:
    """Return the object of a JSON text; see ``parse`` for the arguments.

    Raises:
        WeightsError: as ``parse`` raises it, or the value is not an object.
    """
    value = parse(raw, where, remedy)
    if not isinstance(value, dict):
        raise WeightsError(f"{where} must hold a JSON object, not {type(value).__name__}. {remedy}")
    return value


def read_object(file: Path, remedy: str) -> dict[str, Any]:
    """Return the JSON object in a file; ``remedy`` ends error messages.

    Raises:
        WeightsError: the file is missing, not regular, absurdly large, or not one JSON object.
    """
    if not file.is_file():
        state = "is not a regular file" if file.exists() else "does not exist"
        raise WeightsError(f"{file} {state}. {remedy}")
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise WeightsError(f"{file} cannot be read: {error.strerror}. {remedy}") from None
    return parse_object(raw, str(file), remedy)
