"""Measure the figures that docs/guides/performance.md quotes, and print them.

./pants export --resolve=tests
dist/export/python/virtualenvs/tests/3.1*/bin/python -m benchmarks [FIGURE...]
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import yardsticks
from benchmarks.processes import BenchmarkError
from benchmarks.report import machine
from benchmarks.settings import Settings

FIGURES = (
    "first_conversion",
    "converter",
    "harness",
    "scatter",
    "vit",
    "models",
    "latency",
    "gpt_oss",
    "decode",
    "memory",
    "embedded",
    "same_bytes",
    "rebuild",
)


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        "benchmarks", description="Measure and print the performance figures of this product."
    )
    parser.add_argument(
        "figure", nargs="*", help=f"figures to measure (default: all): {', '.join(FIGURES)}"
    )
    parser.add_argument(
        "--work", type=Path, help="working folder, which is kept (default: a temporary folder)"
    )
    parser.add_argument("--repeat", type=int, default=5, help="runs of each process (%(default)s)")
    parser.add_argument("--runs", type=int, default=20, help="runs of each model (%(default)s)")
    parser.add_argument(
        "--yardsticks",
        type=Path,
        default=yardsticks.default_folder(),
        help="folder in which the public exporters' environments are made (%(default)s)",
    )
    parser.add_argument("--no-yardsticks", action="store_true", help="measure only this product")
    return parser


def main() -> int:
    """Measure the chosen figures one after the other, and return the exit status."""
    parser = arguments()
    options = parser.parse_args()
    chosen = options.figure or FIGURES
    unknown = sorted(set(chosen) - set(FIGURES))
    if unknown:
        parser.error(f"there is no figure {', '.join(unknown)}; choose from {', '.join(FIGURES)}")
    print(f"# {time.strftime('%Y-%m-%d')}, {machine()}")
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(
            work=(options.work or Path(scratch)).resolve(),
            repeat=options.repeat,
            runs=options.runs,
            yardsticks=None if options.no_yardsticks else options.yardsticks.absolute(),
        )
        for name in chosen:
            try:
                importlib.import_module(f"benchmarks.figures.{name}").run_figure(settings)
            except BenchmarkError as error:
                print(f"{name}: {error}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
