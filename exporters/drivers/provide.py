"""The driver that makes or fetches weights: behind synthetic, derived and pinned weights.

    python -m exporters.drivers.provide spec.json

It performs an ``exporters.drivers.request.Synthesise``, ``Derive`` or ``Fetch``. No other driver
may use the network, and this one uses it only to fetch pinned files. See
``exporters.drivers.process`` for the exit status.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from exporters.drivers.process import Action, checkpoint_folder, pins_of, run
from exporters.drivers.request import LISTING, Derive, Fetch, File, Synthesise, files_to_json
from weights import Checkpoint
from weights.derived import DerivedTensor, write_derived
from weights.files.atomic import atomic_file
from weights.files.pins import Pins
from weights.store import Store
from weights.synthetic import SyntheticTensor, write_checkpoint


def synthesise(request: Synthesise) -> None:
    """Write a checkpoint: a small one into the output folder, a large one into the store.

    Either way, the output folder receives a listing of the files. Files in the store also receive
    a view, a folder that holds them under their names; its place in the store is printed.
    """
    # The generator's module may import JAX.
    from exporters.functions import call, find

    generator = find(request.generator, "generator")
    tensors: Mapping[str, SyntheticTensor] = call(
        generator, request.generator, [request.config], {}
    )
    _write(
        request,
        sum(tensor.nbytes for tensor in tensors.values()),
        lambda folder: write_checkpoint(folder, request.config, tensors, request.seed),
    )


def derive(request: Derive) -> None:
    """Write a checkpoint that a function makes from another one, as ``synthesise`` does."""
    folder, _ = checkpoint_folder(request.weights)
    # The function's module may import JAX.
    from exporters.functions import call, find

    checkpoint = Checkpoint.open(folder)
    function = find(request.function, "function")
    tensors: Mapping[str, DerivedTensor] = call(function, request.function, [checkpoint], {})
    sources = Pins(pins_of(request.weights.files))
    _write(
        request,
        sum(tensor.nbytes for tensor in tensors.values()),
        lambda folder: write_derived(folder, checkpoint.json(), tensors, request.function, sources),
    )


def _write(request: Synthesise | Derive, size: int, write: Callable[[Path], Pins]) -> None:
    """Write a checkpoint of a number of bytes into the output or the store, and its listing."""
    output = Path(request.output)
    if size <= request.store_above:
        made = write(output)
    else:
        store = Store(Path(request.store))
        # On the disk of the store, so that the files need only be moved.
        with store.scratch() as scratch:
            made = write(scratch / "checkpoint")
            store.adopt(scratch / "checkpoint", made)
        _print_view(store, store.view(made))
    listing = files_to_json(File(pin.name, pin.sha256, pin.size) for pin in made.files)
    with atomic_file(output / LISTING) as file:
        file.write(listing.encode())


def fetch(request: Fetch) -> None:
    """Bring the pinned files into the store, and print the place of their view in it.

    A file is taken from a folder of this machine that has it, and else from the URL.
    """
    # The other action needs no network code.
    from weights.net.fetch import fetch as bring
    from weights.net.web import Access

    wanted = Pins(pins_of(request.files), request.url)
    store = Store(Path(request.store))
    folders = [Path(each) for each in request.folders]
    _print_view(store, bring(wanted, store, Access.from_environment(), folders=folders))


def _print_view(store: Store, view: Path) -> None:
    print(view.relative_to(store.root).as_posix())


if __name__ == "__main__":
    sys.exit(
        run(
            sys.argv[1:],
            Action(Synthesise, synthesise),
            Action(Derive, derive),
            Action(Fetch, fetch, networked=True),
        )
    )
