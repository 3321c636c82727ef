"""The columns of the matrix, and the environment that each one runs in."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Column:
    """One CPython with one minor release of JAX.

    Attributes:
        name: its name on the command line.
        python: the version of CPython, such as ``3.12``.
        jax: the requirement of JAX; the newest release that meets it is installed.
        optional: whether it is skipped where there is no such interpreter, or no wheel for it.
    """

    name: str
    python: str
    jax: str
    optional: bool = False


COLUMNS = (
    Column("py3.11-jax0.10", "3.11", "jax>=0.10.2,<0.11"),
    Column("py3.12-jax0.11", "3.12", "jax>=0.11,<0.12"),
    Column("py3.12-jax0.12", "3.12", "jax>=0.12,<0.13"),
    Column("py3.13-jax0.12", "3.13", "jax>=0.12,<0.13"),
    Column("py3.14-jax0.12", "3.14", "jax>=0.12,<0.13", optional=True),
)
NEWEST = "py3.13-jax0.12"
"""The column that a sample runs: the newest CPython and JAX that are not optional."""


class ColumnError(Exception):
    """The environment of a column cannot be made."""


def interpreter(version: str) -> Path:
    """Return the CPython of a version, from PATH or from pyenv.

    Raises:
        ColumnError: There is no such interpreter.
    """
    for candidate in _candidates(version):
        test = "import sys; print('%d.%d' % sys.version_info[:2])"
        run = subprocess.run([candidate, "-c", test], check=False, capture_output=True, text=True)
        if run.returncode == 0 and run.stdout.strip() == version:
            return candidate
    raise ColumnError(f"there is no CPython {version} on PATH")


def _candidates(version: str) -> Iterator[Path]:
    found = shutil.which(f"python{version}")
    if found:
        yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))


def environment(column: Column, cache: Path) -> Path:
    """Return the Python of a column's environment, which is made in ``cache`` if it is not there.

    It holds the package's dependencies and development tools, as ``pyproject.toml`` names them, in
    their newest releases. Delete the folder to have it made anew.

    Raises:
        ColumnError: There is no such interpreter, no ``uv``, or no release that fits.
    """
    tools = ["--requirement", str(ROOT / "pyproject.toml"), "--extra", "dev"]
    return made(cache / column.name, column.python, [*tools, column.jax])


def made(folder: Path, version: str, packages: Sequence[str]) -> Path:
    """Return the Python of the environment in ``folder``.

    The environment is made unless it is complete and was made for the same packages.

    Args:
        folder: the folder of the environment.
        version: the version of CPython, such as ``3.12``.
        packages: the arguments of ``uv pip install``.

    Raises:
        ColumnError: There is no such interpreter, no ``uv``, or no release that fits.
    """
    python, ready = folder / "bin" / "python", folder / "ready"
    wanted = "\n".join([version, *packages])
    if ready.exists() and ready.read_text("utf-8") == wanted:
        return python
    uv = shutil.which("uv")
    if uv is None:
        raise ColumnError("uv is not on PATH; install it with: python -m pip install uv")
    create = ["venv", "--clear", "--python", str(interpreter(version)), str(folder)]
    install = ["pip", "install", "--python", str(python), *packages]
    for arguments in (create, install):
        run = subprocess.run([uv, *arguments], check=False, capture_output=True, text=True)
        if run.returncode:
            raise ColumnError(f"uv {arguments[0]}: {run.stderr.strip()}")
    ready.write_text(wanted, "utf-8")
    return python
