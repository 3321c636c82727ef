"""Run the converter's tests on every supported CPython and release of JAX.

    python -m tools.matrix                        # all columns, and docs/coverage/versions.md
    python -m tools.matrix --sample               # a few minutes of the newest column, for CI
    python -m tools.matrix py3.12-jax0.11 --suite harness-of-jax --all

Each column runs in an environment of its own, which ``uv`` makes below ``--cache`` at its first
run. The results are kept there too, so that the page can be made from several runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tools.matrix.columns import COLUMNS, NEWEST, ROOT, ColumnError, environment
from tools.matrix.suites import SUITES, Result, run
from tools.matrix.table import render

PAGE = ROOT / "docs" / "coverage" / "versions.md"


def arguments() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        "tools.matrix", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    names = [column.name for column in COLUMNS]
    parser.add_argument(
        "column", nargs="*", help=f"columns to run (default: all): {', '.join(names)}"
    )
    parser.add_argument("--suite", action="append", choices=[s.key for s in SUITES], help="these")
    parser.add_argument(
        "--all", action="store_true", help="run every case of suites that are sampled"
    )
    parser.add_argument(
        "--sample", action="store_true", help=f"run a small part of {NEWEST}; do not write the page"
    )
    parser.add_argument(
        "--page", action="store_true", help="write the page from earlier results, and run no tests"
    )
    parser.add_argument("--cache", type=Path, default=Path(base, "jax2onnx-matrix"))
    return parser


def main() -> int:
    """Run the chosen columns; return 1 if a test failed or a column could not be made."""
    parser = arguments()
    options = parser.parse_args()
    names = options.column or ([NEWEST] if options.sample else [c.name for c in COLUMNS])
    if unknown := sorted(set(names) - {column.name for column in COLUMNS}):
        parser.error(f"there is no column {', '.join(unknown)}")
    suites = [s for s in SUITES if not options.suite or s.key in options.suite]
    failed = False
    for column in () if options.page else [c for c in COLUMNS if c.name in names]:
        try:
            python = environment(column, options.cache)
        except ColumnError as error:
            print(f"{column.name}: {error}", file=sys.stderr)
            failed |= not column.optional
            continue
        for suite in (s for s in suites if s.quick or not options.sample):
            print(f"== {column.name}: {suite.name}", flush=True)
            result = run(python, suite, every=options.all, quick=options.sample)
            failed |= bool(result.failed)
            if not options.sample:
                result.save(options.cache / "results" / column.name / f"{suite.key}.json")
    if not options.sample:
        results = {
            (column.name, suite.name): Result.load(path)
            for column in COLUMNS
            for suite in SUITES
            if (path := options.cache / "results" / column.name / f"{suite.key}.json").exists()
        }
        PAGE.write_text(render(COLUMNS, SUITES, results), "utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
