"""Run the whole catalogue, print what was tried, and write docs/coverage/hostile.md.

python -m tests.hostile                 # everything, with the fields of BUILD files
python -m tests.hostile index npz       # some areas, without writing the page
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.hostile import catalogue, document, runner
from tests.hostile.servers import serving

ROOT = Path(__file__).parents[2]
BUILD_AREA = "BUILD files"
_PLUGIN_TEST = "pants-plugins/onnx_export/hostile_test.py"


def main(arguments: Sequence[str]) -> int:
    """Run the catalogue, and return the exit status: 0 if every entry ended clean."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("areas", nargs="*", help="areas to run; all of them by default")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    rows = []
    for area in catalogue.AREAS:
        if options.areas and area.AREA not in options.areas:
            continue
        with serving() as hub:
            outcomes = list(runner.run(area.entries(), hub, options.jobs))
        for outcome in outcomes:
            for fault in outcome.faults:
                print(f"{outcome.entry.title}: {fault}", file=sys.stderr)
        rows.append(document.row(area, outcomes))
        print(f"{area.AREA}: {rows[-1].tried} tried, {rows[-1].clean} clean", flush=True)
    if not options.areas or BUILD_AREA in options.areas:
        rows.append(_build_files())
        print(f"{BUILD_AREA}: {rows[-1].tried} tried, {rows[-1].clean} clean")
    tried, clean = sum(row.tried for row in rows), sum(row.clean for row in rows)
    print(f"{tried} tried, {clean} clean, in {time.monotonic() - started:.0f} s")
    if not options.areas:
        document.write(rows)
    return 0 if tried == clean else 1


def _build_files() -> document.Row:
    """Run the entries about fields of BUILD files, which only the Python of Pants can read."""
    command = [
        "./pants",
        "--no-pantsd",
        "--no-dynamic-ui",
        "test",
        "--force",
        "--output=all",
        _PLUGIN_TEST,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    counts = {
        kind: int(number) for number, kind in re.findall(r"(\d+) (passed|failed|error)", text)
    }
    if not counts:
        print(text, file=sys.stderr)
    clean = counts.get("passed", 0)
    what = "target types and fields: types, references, addresses, options, paths, URLs, tolerances"
    return document.Row(BUILD_AREA, what, sum(counts.values()), clean)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
