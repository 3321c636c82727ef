"""Make the repository of docs/guides/adopt.md in a temporary folder, and run its commands there.

    python -m tools.adopt [--wheels DIR] [--keep DIR]

The wheels are built with ``./pants package`` unless ``--wheels`` names a folder that holds them.
Pants is the one of this checkout's ``./pants``. The command prints the wall time of each step.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "guides" / "adopt.md"
FILE = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^    \$ (.*)$", re.MULTILINE)
WHEELS = ("//:wheel", "exporters/distribution:wheel", "pants-plugins:wheel")
ARTIFACT = "classifier.onnx"


class AdoptError(Exception):
    """A command of the guide failed, or its result is not what the guide says."""


def write(folder: Path) -> None:
    """Write the files that the guide shows below ``folder``."""
    for name, text in FILE.findall(GUIDE.read_text("utf-8")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")


def commands() -> list[str]:
    """Return the commands that the guide shows, in their order."""
    return COMMAND.findall(GUIDE.read_text("utf-8"))


def build_wheels() -> Path:
    """Build the three wheels and return their folder."""
    folder = ROOT / "dist"
    for wheel in folder.glob("*.whl"):
        wheel.unlink()
    _run(f"{ROOT / 'pants'} --no-dynamic-ui --no-pantsd package {' '.join(WHEELS)}", ROOT, {})
    return folder


def adopt(folder: Path, wheels: Path) -> None:
    """Make the repository in ``folder`` and run the commands of the guide.

    Args:
        folder: an empty folder.
        wheels: the folder of the three wheels.

    Raises:
        AdoptError: a command failed, or there is no artifact.
    """
    write(folder)
    launcher = folder / ".bin" / "pants"
    launcher.parent.mkdir()
    launcher.symlink_to(ROOT / "pants")
    links = os.environ.get("PIP_FIND_LINKS", "")
    environment = {
        "PATH": f"{launcher.parent}{os.pathsep}{os.environ['PATH']}",
        "WHEELS": str(wheels),
        "PANTS_PANTSD": "false",  # nothing stays behind
        # ./pants takes the settings of pip for those of pants.toml.
        "PIP_FIND_LINKS": f"{links} {wheels.as_uri()}".strip(),
    }
    begun = time.monotonic()
    for command in commands():
        started = time.monotonic()
        output = _run(command, folder, environment)
        print(f"{time.monotonic() - started:6.1f} s  {command}", flush=True)
        if command.endswith(":classifier"):
            print(output, flush=True)
    if not any((folder / "dist").rglob(ARTIFACT)):
        raise AdoptError(f"there is no {ARTIFACT} below dist/.")
    print(f"{time.monotonic() - begun:6.1f} s  from an empty repository to a verified artifact")


def _run(command: str, folder: Path, environment: dict[str, str]) -> str:
    """Run a command of a shell and return its output."""
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AdoptError(f"{command}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the guide and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.adopt")
    parser.add_argument("--wheels", type=Path, help="the folder of the wheels")
    parser.add_argument("--keep", type=Path, help="make the repository here and leave it")
    options = parser.parse_args(arguments)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="adopt-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        adopt(folder.resolve(), (options.wheels or build_wheels()).resolve())
    except AdoptError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if options.keep is None:
            shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
