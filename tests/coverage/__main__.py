"""Runs every example in every mode, and writes `docs/coverage/`."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.coverage import document
from tests.coverage.introspect import LIBRARIES
from tests.coverage.modes import Mode, Verdict
from tests.coverage.worker import judged

CHUNK = 10
"""Examples that a worker runs at a time."""


def main() -> int:
    """Writes the documents of all libraries, or of those that are named."""
    names = [library.name for library in LIBRARIES]
    parser = argparse.ArgumentParser("tests.coverage", description=__doc__)
    parser.add_argument("library", nargs="*", choices=[*names, []], help="these alone")
    parser.add_argument("--processes", type=int, default=2, help="workers (2)")
    parser.add_argument(
        "--symbol", action="append", help="print this one's verdicts, write nothing"
    )
    parser.add_argument("--journal", type=Path, help="append what failed, as it comes")
    options = parser.parse_args()
    chosen = [x for x in LIBRARIES if not options.library or x.name in options.library]
    tasks = [
        (x.name, tuple(range(start, min(start + CHUNK, len(x.all_examples())))))
        for x in chosen
        for start in range(0, len(x.all_examples()), CHUNK)
    ]
    if options.symbol:
        tasks = [
            (x.name, tuple(k for k, e in enumerate(x.all_examples()) if e.symbol in options.symbol))
            for x in chosen
        ]
    found: dict[str, dict[tuple[str, Mode], Verdict]] = {x.name: {} for x in chosen}
    context = multiprocessing.get_context("spawn")  # JAX has threads, which a fork would lose
    with ProcessPoolExecutor(options.processes, context) as pool:
        futures = {pool.submit(judged, task): task for task in tasks}
        for future in as_completed(futures):
            (name, _), verdicts = futures[future], future.result()
            found[name].update(verdicts)
            if options.journal:
                with options.journal.open("a", encoding="utf-8") as file:
                    for (example, mode), v in verdicts.items():
                        if v.status in ("failed", "jax"):
                            file.write(json.dumps([v.status, name, mode, example, v.cause]) + "\n")
            if options.symbol:
                for (example, mode), v in verdicts.items():
                    print(example, mode, v.status, v.cause or " ".join(v.operators))
    if not options.symbol:
        for library in chosen:
            rows = document.rows(library, found[library.name])
            document.path(library).write_text(document.render(library, rows), "utf-8")
        (document.FOLDER / "README.md").write_text(document.summary(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
