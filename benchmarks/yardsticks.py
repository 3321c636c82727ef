"""The public exporters that figures are compared with, each in an environment of its own.

    python -m benchmarks.yardsticks [FOLDER]

makes them, with the package index that pip is set up for. Nothing of them enters this repository's
lockfiles; what they are asked to do is in `jobs/`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = {
    "public": ["jax2onnx==0.17.1", "jax==0.10.2", "equinox==0.13.8", "flax==0.12.8"],
    "torch": ["torch==2.13.0", "transformers==5.23.0", "onnxscript==0.7.2"],
}
"""Environment -> what is installed; what both sides use has this repository's version."""

_SHARED = ["numpy==2.4.6", "onnx==1.23.2", "onnx-ir==1.1.0"]


def default_folder() -> Path:
    """Where environments are kept between runs."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "onnx-exporters" / "yardsticks"


def python(name: str, folder: Path) -> Path:
    """The interpreter of an environment, which is made when it is not there."""
    environment = folder / name
    interpreter = environment / "bin" / "python"
    if not interpreter.exists():
        print(f"making {environment} ({', '.join(REQUIREMENTS[name])})", file=sys.stderr)
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
