"""Convert the models of third-party JAX libraries, and write docs/coverage/zoo.md.

    python -m tests.zoo                           # everything, ours and the public exporter
    python -m tests.zoo keras diffrax             # these libraries
    python -m tests.zoo keras --model ResNet50V2 --ours
    python -m tests.zoo --page                    # write the page from the kept outcomes

The libraries are installed in environments of their own, which ``uv`` makes below ``--cache`` at
the first run. The outcomes are kept there too, so that the page can be made from several runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.zoo.catalogue import GROUPS, LIBRARIES, Library
from tests.zoo.outcome import Exporter, Outcomes
from tests.zoo.page import PAGE, Results, render
from tests.zoo.processes import WorkerError, environment, judged
from tools.matrix.columns import ColumnError

Task = tuple[Library, Exporter]


def arguments() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        "tests.zoo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    names = [library.name for library in LIBRARIES]
    parser.add_argument("library", nargs="*", help=f"these (default: all): {', '.join(names)}")
    parser.add_argument("--model", action="append", default=[], help="only these models")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--ours", action="store_true", help="only with this repository's exporter")
    which.add_argument("--public", action="store_true", help="only with the public exporter")
    parser.add_argument("--page", action="store_true", help="write the page, and convert nothing")
    parser.add_argument("--jobs", type=int, default=1, help="workers at the same time")
    parser.add_argument("--cache", type=Path, default=Path(base, "jax2onnx-zoo"))
    return parser


def main() -> int:
    """Judge the chosen models, and write the page; return 1 if one of ours fails unexpectedly."""
    parser = arguments()
    options = parser.parse_args()
    if unknown := sorted(set(options.library) - {library.name for library in LIBRARIES}):
        parser.error(f"there is no library {', '.join(unknown)}")
    exporters: list[Exporter] = ["ours", "public"]
    if options.ours or options.public:
        exporters = ["ours" if options.ours else "public"]
    chosen = [each for each in LIBRARIES if not options.library or each.name in options.library]
    tasks = [(library, exporter) for library in chosen for exporter in exporters]
    failed = False
    if not options.page:
        pythons, failed = environments(tasks, options.cache)
        with ThreadPoolExecutor(options.jobs) as pool:
            for good in pool.map(
                lambda task: run(task, pythons.get(_place(task)), options.model, options.cache),
                tasks,
            ):
                failed |= not good
    PAGE.write_text(render(LIBRARIES, results(options.cache)), "utf-8")
    return 1 if failed else 0


def environments(
    tasks: Sequence[Task], cache: Path
) -> tuple[dict[tuple[str, Exporter], Path], bool]:
    """Return the Python of each environment that the tasks need, and whether one is missing."""
    found, missing = {}, False
    for group_name, exporter in dict.fromkeys(map(_place, tasks)):
        group = next(each for each in GROUPS if each.name == group_name)
        try:
            found[group_name, exporter] = environment(group, exporter, cache)
        except ColumnError as error:
            print(f"{group_name}, {exporter}: {error}", file=sys.stderr)
            missing = True
    return found, missing


def run(task: Task, python: Path | None, models: Sequence[str], cache: Path) -> bool:
    """Judge a library's models, keep the outcomes, and return whether they are as expected."""
    library, exporter = task
    if python is None:
        return False
    try:
        outcomes, declared = judged(python, library, exporter, models)
    except WorkerError as error:
        print(error, file=sys.stderr)
        return False
    path = _path(task, cache)
    outcomes.after(Outcomes.load(path), declared).save(path)
    for each in outcomes.models:
        verdict = "agrees" if each.agrees else f"{each.stage}: {each.reason}"
        print(f"{library.name}, {exporter}: {each.model}: {verdict}", flush=True)
    return exporter == "public" or all(each.as_expected for each in outcomes.models)


def results(cache: Path) -> Results:
    """Return the outcomes that are kept, by the names of the library and of the exporter."""
    exporters: tuple[Exporter, ...] = ("ours", "public")
    every = [(library, exporter) for library in LIBRARIES for exporter in exporters]
    kept = {(task[0].name, task[1]): Outcomes.load(_path(task, cache)) for task in every}
    return {place: outcomes for place, outcomes in kept.items() if outcomes is not None}


def _place(task: Task) -> tuple[str, Exporter]:
    return task[0].group, task[1]


def _path(task: Task, cache: Path) -> Path:
    return cache / "results" / task[1] / f"{task[0].name}.json"


if __name__ == "__main__":
    sys.exit(main())
