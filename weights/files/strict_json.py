"""Strict reading of JSON: a file holds one object, and no name occurs twice in an object."""

import json
from pathlib import Path
from typing import Any

from weights.errors import WeightsError

# The limit that the safetensors reference sets for a header. No config comes near it.
MAX_BYTES = 100_000_000


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {name!r} is given twice")
            seen.add(name)
    return members


def parse(raw: bytes, where: str, remedy: str) -> Any:
    """Return the value of a JSON text.

    Args:
        raw: the text in UTF-8.
        where: the source of the text; it begins error messages.
        remedy: what to do about a fault; it ends error messages.

    Raises:
        WeightsError: not UTF-8, not JSON, nested absurdly deep, or a duplicate name.
    """
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{where} is not valid JSON: {error}. {remedy}") from None


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
    if len(raw) > MAX_BYTES:
        raise WeightsError(f"{file} is larger than {MAX_BYTES} bytes. {remedy}")
    return parse_object(raw, str(file), remedy)
