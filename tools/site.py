"""Build the documentation site.

    python -m tools.site            # into dist/site; every warning is an error
    python -m tools.site --serve    # on this machine, following edits

It needs the packages of the extra ``docs``, and no network.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run MkDocs as the command line asks for it, and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.site")
    parser.add_argument("--serve", action="store_true", help="serve the site instead of writing it")
    parser.add_argument("--folder", type=Path, default=ROOT / "dist" / "site")
    options = parser.parse_args(arguments)
    command = ["serve"] if options.serve else ["build", "--strict", "--clean", "-d", options.folder]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # This hides an advertisement.
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", *command], cwd=ROOT, env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
