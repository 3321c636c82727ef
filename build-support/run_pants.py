"""Run Pants from the virtual environment beside this file, under the interpreter that runs it.

Pants starts every tool with its own ``sys.executable``, whose path is part of each cache key. The
environment's ``python`` lies under the user's home, so with it users could not share a cache.
Therefore the base interpreter runs, and the environment only provides the packages.
"""

import sys
from pathlib import Path

_VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"
sys.path.insert(0, str(Path(__file__).parent / "venv" / "lib" / _VERSION / "site-packages"))

from pants.bin.pants_loader import main  # noqa: E402

main()
