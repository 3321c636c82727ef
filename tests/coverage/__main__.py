"""Run every example in every mode, and write ``docs/coverage/``."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.coverage import document
from tests.coverage.introspect import LIBRARIES, Library
from tests.coverage.journal import Journal
from tests.coverage.modes import MODES
from tests.coverage.worker import Task, judged

CHUNK = 40
"""The number of examples, each in one mode, in a worker's task."""


def main() -> int:
    """Write the documents of all libraries, or of those named on the command line."""
    parser = argparse.ArgumentParser("tests.coverage", description=__doc__)
    parser.add_argument("library", nargs="*", help="libraries to run (default: all)")
    parser.add_argument("--processes", type=int, default=2, help="worker processes (default: 2)")
    parser.add_argument(
        "--symbol", action="append", help="print the verdicts on this symbol, and write nothing"
    )
    parser.add_argument("--journal", type=Path, help="file of verdicts, which are not rerun")
    parser.add_argument("--again", action="store_true", help="rerun the failures in the journal")
    options = parser.parse_args()
    unknown = set(options.library) - {library.name for library in LIBRARIES}
    if unknown:
        parser.error(f"there is no library {', '.join(sorted(unknown))}")
    chosen = [x for x in LIBRARIES if not options.library or x.name in options.library]
    journal = Journal(options.journal, options.again)
    run(
        [task for x in chosen for task in tasks(x, options.symbol, journal)],
        options.processes,
        journal,
    )
    if options.symbol:
        for (_, example, mode), v in sorted(journal.known.items()):
            if example.partition("[")[0] in options.symbol:
                print(example, mode, v.status, v.cause or " ".join(v.operators))
        return 0
    for library in chosen:
        verdicts = {(e, m): v for (name, e, m), v in journal.known.items() if name == library.name}
        text = document.render(library, document.rows(library, verdicts))
        document.path(library).write_text(text, "utf-8")
    (document.FOLDER / "README.md").write_text(document.summary(), "utf-8")
    return 0


def tasks(library: Library, symbols: list[str] | None, journal: Journal) -> list[Task]:
    """Divide the verdicts that a library still lacks into tasks."""
    wanted = [
        (number, mode)
        for number, example in enumerate(library.all_examples())
        for mode in MODES
        if symbols is None or example.symbol in symbols
        if (library.name, example.name, mode) not in journal.known
    ]
    starts = range(0, len(wanted), CHUNK)
    return [(library.name, tuple(wanted[start : start + CHUNK])) for start in starts]


def run(todo: list[Task], processes: int, journal: Journal) -> None:
    """Run the tasks in worker processes, and record their verdicts."""
    context = multiprocessing.get_context("spawn")  # JAX has threads, which a fork loses.
    with ProcessPoolExecutor(processes, context) as pool:
        for future in as_completed([pool.submit(judged, task) for task in todo]):
            journal.add(future.result())


if __name__ == "__main__":
    sys.exit(main())
