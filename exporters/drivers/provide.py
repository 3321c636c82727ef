"""Makes or fetches weights: the process behind synthetic and pinned weights targets.

    python -m exporters.drivers.provide spec.json

Only this driver may use the network, and only to fetch pinned files. See `exporters.drivers.spec`
for the request and `exporters.drivers.process` for the exit status.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporters.drivers.process import run
from exporters.drivers.spec import Spec, pins
from weights.files.atomic import atomic_file
from weights.store.pins import Pins
from weights.store.store import Store
from weights.synthetic.synthetic import SyntheticTensor, write_checkpoint

LISTING = "files.json"
"""Lists the files that were made: [{"name", "sha256", "size"}]."""


def synthesise(spec: Spec) -> None:
    """Writes a checkpoint: into `output` if it is small, into the store above `store_above` bytes.

    The files are listed in `output` in either case. Those in the store are also given a view, whose
    place in the store is printed.
    """
    # The generator's family imports JAX.
    from exporters import functions

    generator = functions.find(spec["generator"], "generator")
    config: Mapping[str, Any] = spec["config"]
    tensors: Mapping[str, SyntheticTensor] = functions.call(
        generator, spec["generator"], [config], {}
    )
    output = spec.path("output")
    if sum(tensor.nbytes for tensor in tensors.values()) <= spec["store_above"]:
        made = write_checkpoint(output, config, tensors, spec["seed"])
    else:
        store = Store(spec.path("store"))
        made = _into_store(store, config, tensors, spec["seed"])
        _print_view(store, store.view(made))
    listing = [{"name": p.name, "sha256": p.sha256, "size": p.size} for p in made.files]
    with atomic_file(output / LISTING) as file:
        file.write(json.dumps(listing, indent=2).encode() + b"\n")


def _into_store(
    store: Store, config: Mapping[str, Any], tensors: Mapping[str, SyntheticTensor], seed: int
) -> Pins:
    """Writes the checkpoint on the store's own disk and moves its files into the store."""
    with store.scratch() as scratch:
        folder = scratch / "checkpoint"
        made = write_checkpoint(folder, config, tensors, seed)
        store.adopt(folder, made)
    return made


def fetch(spec: Spec) -> None:
    """Brings the pinned files into the store and prints the place of their view in it.

    They come from a local folder that has them, else from the URL.
    """
    # The other action needs no network code.
    from weights.net.fetch import fetch as bring
    from weights.net.web import Access

    wanted = Pins(pins(spec["files"], spec.target), spec["url"])
    store = Store(spec.path("store"))
    folders = [Path(each) for each in spec["folders"]]
    _print_view(store, bring(wanted, store, Access.from_environment(), folders=folders))


def _print_view(store: Store, view: Path) -> None:
    print(view.relative_to(store.root).as_posix())


if __name__ == "__main__":
    actions = {"synthesise": synthesise, "fetch": fetch}
    sys.exit(run(sys.argv[1:], actions, networked=("fetch",)))
