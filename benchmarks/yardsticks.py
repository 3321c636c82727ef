"""Make an environment for each public exporter that figures are compared with.

    python -m benchmarks.yardsticks [FOLDER]

Packages come from the index that pip is configured for, and are not in this repository's lockfiles.
The programs that run in these environments are in ``jobs/``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = {
    "public": ["jax2onnx==0.17.1", "jax==0.10.2", "equinox==0.13.8", "flax==0.12.8"],
    "torch": ["torch==2.13.0", "torchvision==0.28.0", "transformers==5.23.0", "onnxscript==0.7.2"],
}
"""The requirements of each environment, beside ``_SHARED``."""

_SHARED = ["numpy==2.4.6", "onnx==1.23.2", "onnx-ir==1.1.0"]
"""Packages that both sides use, in the versions of this repository."""


def default_folder() -> Path:
    """Return the folder that keeps the environments between runs."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "onnx-exporters" / "yardsticks"


def python(name: str, folder: Path) -> Path:
    """Return the interpreter of an environment, and make the environment if it is missing."""
    environment = folder / name
    interpreter = environment / "bin" / "python"
    if not interpreter.exists():
        print(f"Making {environment} ({', '.join(REQUIREMENTS[name])})", file=sys.stderr)
        partial = folder / f"{name}.partial"
        venv.create(partial, clear=True, symlinks=True, with_pip=True)
        pip = [str(partial / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", *REQUIREMENTS[name], *_SHARED], check=True)
        partial.rename(environment)
    return interpreter


if __name__ == "__main__":
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else default_folder()
    for each in REQUIREMENTS:
        print(python(each, chosen))
