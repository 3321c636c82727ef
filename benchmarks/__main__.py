"""Measures, and prints what docs/guides/performance.md quotes.

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
    "vit",
    "models",
    "gpt_oss",
    "memory",
    "embedded",
    "same_bytes",
    "rebuild",
)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        "benchmarks", description="Prints the figures of this product."
    )
    parser.add_argument(
        "figure", nargs="*", help=f"which ones; all unless given: {', '.join(FIGURES)}"
    )
    parser.add_argument(
        "--work", type=Path, help="folder to work in, kept; a temporary one if absent"
    )
    parser.add_argument("--repeat", type=int, default=5, help="runs of each process (5)")
    parser.add_argument("--runs", type=int, default=20, help="runs of each model (20)")
    parser.add_argument(
        "--yardsticks",
        type=Path,
        default=yardsticks.default_folder(),
        help="folder of the public exporters' environments, which are made there (%(default)s)",
    )
    parser.add_argument("--no-yardsticks", action="store_true", help="measure this product alone")
    return parser


def main() -> int:
    """Runs the chosen figures, one after the other."""
    parser = arguments()
    options = parser.parse_args()
    chosen = options.figure or FIGURES
    unknown = sorted(set(chosen) - set(FIGURES))
    if unknown:
        parser.error(f"no figure {', '.join(unknown)}; there are {', '.join(FIGURES)}")
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
