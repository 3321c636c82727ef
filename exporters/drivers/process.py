"""The frame of a driver: it reads the request, guards the process, and sets the exit status.

    python -m exporters.drivers.build spec.json

The exit status is 0 when the request was performed, and 1 when it was not: then stderr holds a
complete message for the user. It is 75 (``UNAVAILABLE``) when weights that the request refers to
are not in the store. The same request can be performed once they are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from exporters.drivers import hermetic, request
from exporters.drivers.request import (
    UNAVAILABLE,
    Derive,
    Fetch,
    Request,
    RequestError,
    Synthesise,
)
from exporters.errors import ExportError
from weights import WeightsError
from weights.files.pins import Pin, Pins
from weights.progress import megabytes
from weights.store import Store

_Kind = TypeVar("_Kind", bound=Request)


@dataclass(frozen=True)
class Action(Generic[_Kind]):
    """A kind of request that a driver performs.

    Attributes:
        kind: the class of the request.
        perform: does what the request asks for.
        networked: whether ``perform`` may use the network and files that are not declared.
    """

    kind: type[_Kind]
    perform: Callable[[_Kind], None]
    networked: bool = False


class WeightsAbsentError(Exception):
    """Weights are not in the store. The message says which, and how to get them."""


def run(arguments: Sequence[str], *actions: Action[Any]) -> int:
    """Perform the request that a file holds, and return the exit status.

    Unless its action is networked, the process is held to its working directory, the store of
    weights, its interpreter and its packages.

    Args:
        arguments: the command line's arguments: the path of the file, alone.
        actions: what this driver can perform.
    """
    if len(arguments) != 1:
        return _fail("give one argument, the file that holds the request")
    try:
        wanted = _read(Path(arguments[0]))
        action = next((each for each in actions if isinstance(wanted, each.kind)), None)
        if action is None:
            performed = " or ".join(each.kind.action for each in actions)
            raise ExportError(f"this driver performs {performed}, not {wanted.action}.")
        if not action.networked:
            hermetic.install(wanted.target, _roots(wanted))
        try:
            action.perform(wanted)
        finally:
            # If a library swallowed a refusal, that refusal explains whatever else went wrong.
            hermetic.verify()
    except (ExportError, WeightsError) as error:
        return _fail(str(error))
    except WeightsAbsentError as error:
        return _fail(str(error), UNAVAILABLE)
    return 0


def checkpoint_folder(weights: request.Weights) -> tuple[Path, str | None]:
    """Return the folder that holds the files of a checkpoint under their names, with their digests.

    Returns:
        The folder; and its path relative to the store, or None if it is not in a store.

    Raises:
        WeightsAbsentError: the store lacks some of the files.
        WeightsError: a file differs from its digest.
    """
    if weights.store is None:
        assert weights.folder is not None  # the schema demands one of the two
        folder = Path(weights.folder)
        Pins(pins_of(weights.files)).verify(folder)  # a cache of the build may be damaged
        return folder, None
    pins = pins_of(weights.files)
    store = Store(Path(weights.store))
    missing = [pin for pin in pins if not store.path(pin).is_file()]
    if missing:
        raise WeightsAbsentError(
            f"{weights.target}: {len(missing)} of {len(pins)} files "
            f"({megabytes(sum(pin.size for pin in missing))}) are not in the store of weights: "
            f"{', '.join(pin.name for pin in missing)}. Fetch them: ./pants run {weights.target}"
        )
    folder = store.view(Pins(pins))
    return folder, folder.relative_to(store.root).as_posix()


def pins_of(files: Iterable[request.File]) -> tuple[Pin, ...]:
    """Return the files of a request as pins, which check names and digests."""
    return tuple(Pin(file.name, file.sha256, file.size) for file in files)


def _read(file: Path) -> Request:
    try:
        return request.from_json(file.read_text(encoding="utf-8"))
    except (OSError, RequestError, UnicodeDecodeError) as error:
        raise ExportError(
            f"{file} holds no request that this driver can perform: {error}. The build writes this "
            "file; run the build again."
        ) from None


def _roots(wanted: Request) -> list[Path]:
    """Return the sandbox, which holds the declared inputs alone, and the store of weights."""
    if isinstance(wanted, (Synthesise, Derive, Fetch)):
        store: str | None = wanted.store
    else:
        store = wanted.weights.store
    return [Path.cwd(), *([] if store is None else [Path(store)])]


def _fail(message: str, status: int = 1) -> int:
    print(message, file=sys.stderr)
    return status
