"""Install the wheel of jax2onnx in fresh environments and run the quickstart there.

    python -m tools.wheel_check                       # CPython 3.11, 3.12 and 3.13
    python -m tools.wheel_check 3.13 --wheel dist/jax2onnx-0.1.0-py3-none-any.whl
    python -m tools.wheel_check --release             # also refuse placeholders in the metadata

The wheel is built from the tracked files with pip unless ``--wheel`` names one. A wheel that is
named, such as the one that ``./pants package //:wheel`` makes, must hold the same files and
metadata as the one that pip builds. The first line of docs/guides/quickstart.md makes each
environment. Packages come from the index that pip is configured for.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
QUICKSTART = ROOT / "docs" / "guides" / "quickstart.md"
VERSIONS = ("3.11", "3.12", "3.13")
INSTALL = re.compile(r"^    pip install '\.\[([\w,]+)\]'$", re.MULTILINE)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLACEHOLDER = ".example/"
"""Addresses in this reserved domain stand for those that the project does not have yet."""


class WheelError(Exception):
    """The wheel, or the quickstart that runs on it, is wrong."""


def extras() -> str:
    """Return the extras that the first command of the quickstart installs, such as ``"flax"``.

    Raises:
        WheelError: The first command is not ``pip install '.[...]'``.
    """
    text = QUICKSTART.read_text("utf-8")
    first = re.search(r"^(    \S.*)$", text, re.MULTILINE)
    found = INSTALL.fullmatch(first[1]) if first else None
    if found is None:
        raise WheelError(f"{QUICKSTART}: the first command is not pip install '.[EXTRAS]'")
    return found[1]


def quickstart() -> str:
    """Return the code blocks of the quickstart as one program."""
    return "\n".join(BLOCK.findall(QUICKSTART.read_text("utf-8")))


def tracked_copy(folder: Path) -> Path:
    """Copy the repository's tracked files into ``folder``, since a build leaves files behind."""
    names = _output(["git", "ls-files", "-z"], ROOT).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def build(python: Path, folder: Path) -> Path:
    """Return a wheel that pip builds from the tracked files, in ``folder``.

    Args:
        python: An interpreter that has pip.
        folder: The folder to write to, which is made if it does not exist.
    """
    source = tracked_copy(folder / "source")
    _run([python, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, source], folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def contents(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel by name, without the records of how it was built."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            name: archive.read(name)
            for name in sorted(archive.namelist())
            if not name.endswith((".dist-info/RECORD", ".dist-info/WHEEL"))
        }


def compare(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> None:
    """Raise ``WheelError`` unless two wheels hold the same files."""
    differ = sorted(n for n in one.keys() | other.keys() if one.get(n) != other.get(n))
    if differ:
        raise WheelError("the two wheels differ in " + ", ".join(differ))


def refuse_placeholders(wheel: Path) -> None:
    """Raise ``WheelError`` if the metadata of ``wheel`` has a placeholder as an address."""
    for name, content in contents(wheel).items():
        if name.endswith(".dist-info/METADATA") and PLACEHOLDER in content.decode():
            raise WheelError(
                f"{wheel.name}: the addresses in [project.urls] of pyproject.toml are placeholders"
            )


@contextmanager
def environment(version: str, folder: Path) -> Iterator[Path]:
    """Make a virtual environment of CPython ``version`` and yield its interpreter."""
    python = _output([ROOT / "build-support" / "find_python", version], ROOT).strip()
    place = folder / f"python{version}"
    _run([python, "-m", "venv", place], folder)
    try:
        yield place / "bin" / "python"
    finally:
        shutil.rmtree(place)


def check(wheel: Path, version: str, folder: Path) -> str:
    """Run the quickstart in an environment of its own and return the versions in use there."""
    with environment(version, folder) as python:
        _run([python, "-m", "pip", "install", "--quiet", f"{wheel}[{extras()}]"], folder)
        _run([python, "-m", "pip", "check", "--quiet"], folder)
        work = folder / f"work{version}"
        work.mkdir()
        (work / "quickstart.py").write_text(quickstart(), "utf-8")
        _run([python, "-W", "error", "-P", "quickstart.py"], work)
        code = (
            "import importlib.metadata as m, jax2onnx;"
            "names = 'jax', 'flax', 'equinox', 'onnxruntime';"
            "print(jax2onnx.__file__);"
            "print(', '.join(f'{name} {m.version(name)}' for name in names))"
        )
        file, versions = _output([python, "-P", "-c", code], work).splitlines()
        if not Path(file).is_relative_to(python.parents[1]):
            raise WheelError(f"CPython {version} imported {file}, which is not the wheel")
        return versions


def _environ() -> dict[str, str]:
    """Return the environment variables of this process without those that add modules."""
    return {n: v for n, v in os.environ.items() if n not in ("PYTHONPATH", "PYTHONHOME")}


def _run(command: Sequence[str | Path], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, env=_environ(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        line = " ".join(map(str, command))
        raise WheelError(f"{line}: exit status {done.returncode}\n{done.stdout}{done.stderr}")


def _output(command: Sequence[str | Path], folder: Path) -> str:
    return subprocess.run(
        command, cwd=folder, env=_environ(), stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks that the command line asks for, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.wheel_check")
    parser.add_argument("versions", nargs="*", default=VERSIONS, help="of CPython")
    parser.add_argument("--wheel", type=Path, help="a wheel to check instead of building one")
    parser.add_argument(
        "--release", action="store_true", help="refuse placeholders in the metadata"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="wheel-check-") as name:
        folder = Path(name)
        try:
            with environment(options.versions[0], folder) as python:
                wheel = build(python, folder / "wheel")
            if options.wheel is not None:
                compare(contents(options.wheel), contents(wheel))
                wheel = options.wheel.resolve()
            if options.release:
                refuse_placeholders(wheel)
            for version in options.versions:
                print(f"CPython {version}: {check(wheel, version, folder)}: ok", flush=True)
        except WheelError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
