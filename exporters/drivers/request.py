"""The request that a build sends to a driver: one schema for both sides.

The plugin of the build makes one of the classes below (``Export``, ``Parity``, ...), and
hands ``to_json`` of it to a process in a file. The driver in that process reads it back with
``from_json``. Both sides refuse what the other does not know: every member is required, none is
unknown, and the version of the schema must be the same.

The plugin runs in the Python of Pants (3.9 for Pants 2.17), without the packages of the drivers.
So this module imports the standard library alone and keeps to Python 3.9. The plugin has it as
``onnx_export/request.py``, a symbolic link to this file; ``docs/contributing/design.md`` says why.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, TypeVar, Union

VERSION = 6
"""Version of this schema. Raise it with every change of the classes below."""

UNAVAILABLE = 75
"""Exit status of a driver (``EX_TEMPFAIL``) whose weights are not in the store on this machine."""

LISTING = "files.json"
"""Name of the listing that a ``Synthesise`` or ``Derive`` writes (``files_to_json``)."""

_Kind = TypeVar("_Kind")


class RequestError(ValueError):
    """A document does not follow the schema. The message is one line and names the member."""


@dataclass(frozen=True, order=True)
class File:
    """A file of a checkpoint, known by its content.

    Attributes:
        name: its file name, or its path below the folder of the checkpoint.
        sha256: its SHA-256 as 64 lower-case hexadecimal digits.
        size: its size in bytes.
    """

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Weights:
    """The weights of a model, and where the process finds them.

    Attributes:
        target: the address of the weights' target.
        licence: the terms under which the weights may be used.
        source: where the weights come from, for a reader.
        files: the files of the checkpoint.
        folder: the folder that holds the files under their names, below the working directory.
        store: the root of the store that holds the files; exactly one of the two is given.
    """

    target: str
    licence: str
    source: str
    files: tuple[File, ...]
    folder: str | None = None
    store: str | None = None

    def __post_init__(self) -> None:
        if (self.folder is None) == (self.store is None):
            raise RequestError("weights: give exactly one of folder and store")


@dataclass(frozen=True)
class Export:
    """Export a model to ONNX.

    Attributes:
        target: the address of the model's target.
        exporter: the function that builds the model, as ``package.module:function``.
        options: the keyword arguments of that function.
        weights: the weights of the model.
        opset: the version of the ONNX operator set.
        layout: the name of the layout of the model's folder.
        output: the path of the artifact to write; its manifest is written beside it.
    """

    action: ClassVar[str] = "export"

    target: str
    exporter: str
    options: Mapping[str, Any]
    weights: Weights
    opset: int
    layout: str
    output: str


@dataclass(frozen=True)
class Parity:
    """Compare an artifact with a reference.

    Attributes:
        target: the address of the test's target.
        exporter: the function that built the model, as ``package.module:function``.
        options: the keyword arguments of that function.
        weights: the weights of the model.
        model: the path of the artifact.
        layout: the name of the layout that the artifact was made for.
        reference: the function that yields the expected outputs, as ``package.module:function``.
        data: the path of the file that the reference reads, if it reads one.
        execution_provider: the execution provider of ONNX Runtime, ``cpu`` or ``cuda``.
        atol: the absolute tolerance.
        rtol: the relative tolerance.
        report: the path of the JSON file to write when all cases agree: what was compared.
    """

    action: ClassVar[str] = "parity"

    target: str
    exporter: str
    options: Mapping[str, Any]
    weights: Weights
    model: str
    layout: str
    reference: str
    data: str | None
    execution_provider: str
    atol: float
    rtol: float
    report: str


@dataclass(frozen=True)
class Cases:
    """Write the cases of a reference, for clients that run in other environments.

    Attributes:
        target: the address of the test's target.
        reference: the function that yields the cases, as ``package.module:function``.
        exporter: the function that built the model, as ``package.module:function``.
        options: the keyword arguments of that function.
        weights: the weights of the model.
        data: the path of the file that the reference reads, if it reads one.
        output: the path of the JSON file to write.
    """

    action: ClassVar[str] = "cases"

    target: str
    reference: str
    exporter: str
    options: Mapping[str, Any]
    weights: Weights
    data: str | None
    output: str


@dataclass(frozen=True)
class Synthesise:
    """Make a checkpoint from a configuration and a seed.

    The driver prints the place of the checkpoint in the store if it wrote it there.

    Attributes:
        target: the address of the weights' target.
        generator: the function that knows the tensors, as ``package.module:function``.
        config: the configuration of the architecture, which becomes ``config.json``.
        seed: the seed of the random numbers.
        output: the folder to write the listing and a small checkpoint into.
        store: the root of the store, which takes a large checkpoint.
        store_above: a checkpoint with more bytes of tensors than this goes into ``store``.
    """

    action: ClassVar[str] = "synthesise"

    target: str
    generator: str
    config: Mapping[str, Any]
    seed: int
    output: str
    store: str
    store_above: int


@dataclass(frozen=True)
class Derive:
    """Make a checkpoint from another one.

    The driver prints the place of the checkpoint in the store if it wrote it there.

    Attributes:
        target: the address of the weights' target.
        function: the function that makes the tensors, as ``package.module:function``.
        weights: the weights that it reads.
        output: the folder to write the listing and a small checkpoint into.
        store: the root of the store, which takes a large checkpoint.
        store_above: a checkpoint with more bytes of tensors than this goes into ``store``.
    """

    action: ClassVar[str] = "derive"

    target: str
    function: str
    weights: Weights
    output: str
    store: str
    store_above: int


@dataclass(frozen=True)
class Fetch:
    """Bring pinned files into the store. The driver prints their place in the store.

    Attributes:
        target: the address of the weights' target.
        url: where to fetch what no folder holds, if there is such a place.
        files: the pinned files.
        store: the root of the store.
        folders: folders of this machine that may hold the files, by their SHA-256.
    """

    action: ClassVar[str] = "fetch"

    target: str
    url: str | None
    files: tuple[File, ...]
    store: str
    folders: tuple[str, ...]


Request = Union[Export, Parity, Cases, Synthesise, Derive, Fetch]
_REQUESTS: Mapping[str, type[Request]] = {
    kind.action: kind for kind in (Export, Parity, Cases, Synthesise, Derive, Fetch)
}


def to_json(request: Request) -> str:
    """Return the request as JSON. Equal requests have equal texts, so the text may be a key."""
    document = {"version": VERSION, "action": request.action, **asdict(request)}
    return json.dumps(document, sort_keys=True, allow_nan=False)


def from_json(text: str) -> Request:
    """Return the request that a JSON text holds.

    Raises:
        RequestError: the text is not JSON, is of another version of the schema, or has a member
            that is missing, unknown or of the wrong type.
    """
    members = _typed(_parse(text), "the request", dict, "an object")
    version = members.pop("version", None)
    if version != VERSION:
        raise RequestError(
            f"version: the request is of version {version!r} and this side reads version "
            f"{VERSION}; install the plugin and the drivers of the same release"
        )
    action = members.pop("action", None)
    if not isinstance(action, str) or action not in _REQUESTS:
        raise RequestError(f"action: expected one of {', '.join(_REQUESTS)}, found {action!r}")
    return _build(_REQUESTS[action], members, "")


def files_to_json(files: Iterable[File]) -> str:
    """Return a listing of files as JSON."""
    return json.dumps([asdict(file) for file in files], indent=2) + "\n"


def files_from_json(text: str) -> tuple[File, ...]:
    """Return the files of a listing.

    Raises:
        RequestError: the text is not a listing as ``files_to_json`` writes it.
    """
    return _files(_parse(text), "files")


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise RequestError(f"the document is not valid JSON: {error}") from None


def _build(kind: type[_Kind], value: object, path: str) -> _Kind:
    """Return a dataclass made of a JSON object; ``path`` is where the object stands."""
    members = _typed(value, path, dict, "an object")
    types = {each.name: str(each.type) for each in fields(kind)}  # type: ignore[arg-type]
    for names, fault in ((types.keys() - members, "missing"), (members.keys() - types, "unknown")):
        for name in sorted(names):
            raise RequestError(f"{_member(path, name)}: this member is {fault}")
    return kind(
        **{
            name: _READERS[type_](members[name], _member(path, name))
            for name, type_ in types.items()
        }
    )


def _member(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _typed(value: object, path: str, kind: type[_Kind], expected: str) -> _Kind:
    # Not `isinstance`: in Python `True` is an integer, and in JSON it is not.
    if type(value) is not kind:
        raise RequestError(f"{path}: expected {expected}, found {value!r}")
    return value


def _text(value: object, path: str) -> str:
    return _typed(value, path, str, "a string")


def _optional_text(value: object, path: str) -> str | None:
    return None if value is None else _typed(value, path, str, "a string or null")


def _integer(value: object, path: str) -> int:
    return _typed(value, path, int, "an integer")


def _number(value: object, path: str) -> float:
    return float(value) if type(value) is int else _typed(value, path, float, "a number")


def _object(value: object, path: str) -> dict[str, Any]:
    return _typed(value, path, dict, "an object")


def _texts(value: object, path: str) -> tuple[str, ...]:
    items = _typed(value, path, list, "a list")
    return tuple(_text(item, f"{path}[{index}]") for index, item in enumerate(items))


def _files(value: object, path: str) -> tuple[File, ...]:
    items = _typed(value, path, list, "a list")
    return tuple(_build(File, item, f"{path}[{index}]") for index, item in enumerate(items))


def _weights(value: object, path: str) -> Weights:
    return _build(Weights, value, path)


_READERS: Mapping[str, Callable[[object, str], object]] = {
    "str": _text,
    "str | None": _optional_text,
    "int": _integer,
    "float": _number,
    "Mapping[str, Any]": _object,
    "tuple[str, ...]": _texts,
    "tuple[File, ...]": _files,
    "Weights": _weights,
}
"""The function that reads a member, by the annotation of the dataclass's field."""
