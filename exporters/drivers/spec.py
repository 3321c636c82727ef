"""The request that the build hands to a process of this package: a JSON file, read strictly.

The build writes it and nobody else, so what is wrong in it is a fault of the build; yet a message
beats a traceback.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporters.errors import ExportError
from weights.files.strict_json import read_object
from weights.store.pins import Pin

VERSION = 1

_COMMON = {"version": int, "action": str, "target": str}
_MODEL = {"exporter": str, "options": dict, "weights": list}
_ACTIONS: Mapping[str, Mapping[str, type | tuple[type, ...]]] = {
    "export": {**_MODEL, "opset": int, "output": str},
    "parity": {
        **_MODEL,
        "model": str,
        "reference": str,
        "data": (str, type(None)),
        "execution_provider": str,
        "atol": (int, float),
        "rtol": (int, float),
    },
    "synthesise": {
        "generator": str,
        "config": dict,
        "seed": int,
        "output": str,
        "store": str,
        "store_above": int,
    },
    "fetch": {
        "url": (str, type(None)),
        "files": list,
        "store": str,
        "folders": list,
    },
}
"""Action -> its fields, beside the common ones, and their types."""

_WEIGHTS = {"target": str, "licence": str, "source": str, "files": list}
_PLACES = ("folder", "store")


@dataclass(frozen=True)
class WeightsEntry:
    """A weights target: its files, and either the folder that holds them or the store that does."""

    target: str
    licence: str
    source: str
    files: tuple[Pin, ...]
    folder: Path | None
    store: Path | None


@dataclass(frozen=True)
class Spec:
    """A request: what to do, for which target, and the fields of that action."""

    action: str
    target: str
    fields: Mapping[str, Any]

    def __getitem__(self, field: str) -> Any:
        return self.fields[field]

    def path(self, field: str) -> Path:
        """A field that holds a path, relative to the working directory."""
        return Path(self.fields[field])

    @property
    def weights(self) -> WeightsEntry:
        """The weights of a model; it has exactly one target of them."""
        entries = self.fields["weights"]
        if len(entries) != 1:
            raise ExportError(f"{self.target}: give one weights target, not {len(entries)}.")
        return _weights(entries[0])


def read(file: Path, actions: tuple[str, ...]) -> Spec:
    """Reads a request for one of `actions`.

    Raises:
        ExportError: it is of another version, or has fields that are unknown, missing or mistyped.
    """
    document = read_object(file, "It is written by the build; run the build again.")
    version, action = document.get("version"), document.get("action")
    if version != VERSION or action not in actions:
        raise ExportError(
            f"{file}: version {version!r} and action {action!r} are not understood here; version "
            f"{VERSION} and {' or '.join(actions)} are. The build and `exporters` differ in age."
        )
    _check(document, {**_COMMON, **_ACTIONS[action]}, str(file))
    return Spec(action, document["target"], document)


def pins(entries: list[Any], where: str) -> tuple[Pin, ...]:
    """The files that a list of {"name", "sha256", "size"} stands for."""
    for entry in entries:
        _check(entry, {"name": str, "sha256": str, "size": int}, where)
    return tuple(Pin(**entry) for entry in entries)


def _weights(entry: Any) -> WeightsEntry:
    places = {key: entry[key] for key in _PLACES if key in entry}
    _check(entry, {**_WEIGHTS, **dict.fromkeys(places, str)}, "weights")
    if len(places) != 1:
        raise ExportError(f"{entry['target']}: give exactly one of {' and '.join(_PLACES)}.")
    place = {key: Path(value) for key, value in places.items()}
    return WeightsEntry(
        entry["target"],
        entry["licence"],
        entry["source"],
        pins(entry["files"], entry["target"]),
        place.get("folder"),
        place.get("store"),
    )


def _check(document: Any, fields: Mapping[str, type | tuple[type, ...]], where: str) -> None:
    if not isinstance(document, dict):
        raise ExportError(f"{where}: expected an object, found {document!r}.")
    problems = [f"{name} is unknown" for name in sorted(document.keys() - fields)]
    problems += [f"{name} is missing" for name in sorted(fields.keys() - document)]
    problems += [
        f"{name} has the wrong type: {document[name]!r}"
        for name, kind in fields.items()
        if name in document and not isinstance(document[name], kind)
    ]
    if problems:
        raise ExportError(f"{where}: {'; '.join(problems)}.")
