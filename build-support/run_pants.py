"""Runs Pants from the virtual environment beside this file, under the interpreter that runs it.

Pants starts every tool with its own `sys.executable`, whose path is part of each cache key. Were
that the environment's `python`, which lies under the user's home, no two users could share a cache;
so the bare interpreter runs, and the environment only lends its packages.
"""

import sys
from pathlib import Path

_VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"
sys.path.insert(0, str(Path(__file__).parent / "venv" / "lib" / _VERSION / "site-packages"))

from pants.bin.pants_loader import main  # noqa: E402

main()
