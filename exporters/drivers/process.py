"""What every process that the build starts here has in common: request in, exit status out.

    python -m exporters.drivers.build spec.json

Exit status 0: done. 1: a complete message for the user on stderr. 75 (`EX_TEMPFAIL`): weights that
the request refers to are not in the store, and the same request will do once they are.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from exporters.drivers import hermetic
from exporters.drivers.spec import Spec, WeightsEntry, read
from exporters.errors import ExportError
from weights import WeightsError
from weights.progress import megabytes
from weights.store.pins import Pins
from weights.store.store import Store

Action = Callable[[Spec], None]


class WeightsAbsentError(Exception):
    """Weights are not in the store; the message says which and how to get them."""


def run(
    arguments: Sequence[str], actions: Mapping[str, Action], networked: Collection[str] = ()
) -> int:
    """Performs the request in the file that is the only argument; returns the exit status.

    Unless its action is among those `networked`, the process is held to its working directory, its
    interpreter and its dependencies.
    """
    if len(arguments) != 1:
        return _fail("give one argument, the file that holds the request")
    try:
        spec = read(Path(arguments[0]), tuple(actions))
        if spec.action not in networked:
            hermetic.install(spec.target, _roots(spec))
        try:
            actions[spec.action](spec)
        finally:
            # A refusal that a library swallowed explains whatever else went wrong.
            hermetic.verify()
    except (ExportError, WeightsError) as error:
        return _fail(str(error))
    except WeightsAbsentError as error:
        return _fail(str(error), os.EX_TEMPFAIL)
    return 0


def checkpoint_folder(entry: WeightsEntry) -> tuple[Path, str | None]:
    """The folder that holds the files under their names; and, in a store, its path within that.

    Raises:
        WeightsAbsentError: the store lacks some of them.
    """
    if entry.folder is not None:
        return entry.folder, None
    assert entry.store is not None
    store = Store(entry.store)
    missing = [pin for pin in entry.files if not store.path(pin).is_file()]
    if missing:
        raise WeightsAbsentError(
            f"{entry.target}: {len(missing)} of {len(entry.files)} files "
            f"({megabytes(sum(pin.size for pin in missing))}) are not in the store of weights: "
            f"{', '.join(pin.name for pin in missing)}. Fetch them: ./pants run {entry.target}"
        )
    folder = store.view(Pins(entry.files))
    return folder, folder.relative_to(store.root).as_posix()


def _roots(spec: Spec) -> list[Path]:
    """The sandbox, which holds the declared inputs and nothing else, and the store of weights."""
    stores = [spec.weights.store] if "weights" in spec.fields else [Path(spec["store"])]
    return [Path.cwd(), *(store for store in stores if store is not None)]


def _fail(message: str, status: int = 1) -> int:
    print(message, file=sys.stderr)
    return status
