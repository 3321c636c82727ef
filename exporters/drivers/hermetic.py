"""A guard that holds a process to its declared inputs: no network, no subprocess, no other file.

A cached result is right only if everything that it depends on is in its cache key. The build puts
the declared inputs there, and this module refuses all others. It is an audit hook
(https://docs.python.org/3/library/audit_events.html): Python calls it for every opened file, listed
folder, connection and subprocess. It guards against mistakes and not against malice, and it cannot
see what native libraries do by themselves.

Import nothing heavy here: the hook must be in place before the libraries that it watches.
"""

# Paths are strings here, because the hook runs for every open and must be fast.
# ruff: noqa: PTH100, PTH109, PTH112

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any

from exporters.errors import ExportError

_OF_THE_MACHINE = (
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
    "/etc/localtime",
    "/etc/os-release",
    "/proc/",
    "/sys/",
    "/usr/lib/os-release",
    "/usr/share/zoneinfo/",
)
"""Files that libraries read on import to learn about the machine. No model depends on them."""

_FILES = {
    "open": "opened",
    "os.listdir": "listed",
    "os.scandir": "listed",
    "sqlite3.connect": "opened",
}
"""Audit events that read a file or a folder (their first argument), and verbs for messages."""

_FORKS = ("os.fork", "os.forkpty")
"""Audit events that split the process. This one would not learn of refusals in the other."""

_SUBPROCESSES = {
    "os.exec": 0,
    "os.posix_spawn": 0,
    "os.spawn": 1,
    "os.system": 0,
    "pty.spawn": 0,
    "subprocess.Popen": 0,
}
"""Audit events that start a program, and the index of the argument that names the program."""

_NETWORK = {
    "socket.bind": 1,
    "socket.connect": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyaddr": 0,
    "socket.gethostbyname": 0,
    "socket.sendmsg": 1,
    "socket.sendto": 1,
    "urllib.Request": 0,
}
"""Audit events that use the network, and the index of the argument that names the other side."""


class Guard:
    """The rules of a process. An audit hook cannot be removed, so a process has one guard.

    Args:
        what: the beginning of messages, such as ``exporters:gpt_oss``.
        roots: the folders and files that may be read.
    """

    def __init__(self, what: str, roots: Iterable[Path]) -> None:
        self._what = what
        self._violations: list[ExportError] = []
        # Each root under both its names, because a sandbox reaches some inputs through links.
        self._roots = tuple(
            dict.fromkeys(
                name
                for root in [*roots, *_interpreter()]
                for name in (os.path.abspath(root), os.path.realpath(root))
            )
        )

    def verify(self) -> None:
        """Raise the first refusal, if there was one."""
        if self._violations:
            raise self._violations[0]

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raise an error if the event is not allowed. This is the audit hook."""
        if event in _FILES:
            path = arguments[0]
            # Other arguments are open files and None, the working directory.
            if isinstance(path, (str, bytes)) and not self._is_declared(os.fsdecode(path)):
                self._refuse(
                    f"{_FILES[event]} {os.path.abspath(os.fsdecode(path))}, which is not among its "
                    "declared inputs",
                    "Declare it (as weights, as a `resource` the exporter depends on, or in a "
                    "requirement) or do without it",
                )
        elif event in _NETWORK:
            self._refuse(
                f"used the network ({event}: {_shown(arguments, _NETWORK[event])})",
                "Pin what it needs with `python -m exporters pin`, and give it as weights",
            )
        elif event in _SUBPROCESSES:
            self._refuse(
                f"started another program ({_shown(arguments, _SUBPROCESSES[event])})",
                "Do that work in Python, or before the build, and pin the result as weights",
            )
        elif event in _FORKS:
            self._refuse(
                f"split its process ({event})", "Do the work in one process, or in threads"
            )

    def _is_declared(self, path: str) -> bool:
        absolute = os.path.abspath(path)
        # With a separator at the end, because the folders themselves may be listed.
        if self._is_below(absolute) or f"{absolute}/".startswith(_OF_THE_MACHINE):
            return True
        real = os.path.realpath(absolute)
        return self._is_below(real) or any(_below(real, root) for root in self._linked)

    def _is_below(self, path: str) -> bool:
        return any(_below(path, root) for root in self._roots)

    @cached_property
    def _linked(self) -> frozenset[str]:
        """Return the real folders of a PEX's packages, which are links to unpacked wheels."""
        return frozenset(
            os.path.realpath(entry.path)
            for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
            if os.path.isdir(folder)
            for entry in os.scandir(folder)
            if entry.is_symlink()
        )

    def _refuse(self, what: str, remedy: str) -> None:
        error = ExportError(
            f"{self._what} {what}{_origin()}. The cache knows only declared inputs, so results "
            f"may depend on no others. {remedy}."
        )
        self._violations.append(error)
        raise error


_installed: list[Guard] = []


def install(what: str, roots: Iterable[Path]) -> None:
    """Refuse from now on whatever is outside the roots, the interpreter and its packages.

    A refusal is raised as ``ExportError`` where it happens. Call ``verify`` before you trust
    results.

    Args:
        what: the beginning of messages, such as ``exporters:gpt_oss``.
        roots: the folders and files that may be read.
    """
    guard = Guard(what, roots)
    sys.addaudithook(guard.audit)
    _installed.append(guard)


def verify() -> None:
    """Raise the first refusal of this process, which the code that caused it may have swallowed.

    Without a guard this does nothing.
    """
    for guard in _installed:
        guard.verify()


def _interpreter() -> list[Path]:
    """Return the standard library and every folder or archive that Python imports from."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [*(sysconfig.get_path(name) for name in names), *filter(None, sys.path)]
    if sys.prefix != sys.base_prefix:
        folders.append(sys.prefix)
    return [Path(folder) for folder in folders]


def _below(path: str, root: str) -> bool:
    return path.startswith(root) and path[len(root) : len(root) + 1] in ("", os.sep)


def _shown(arguments: tuple[Any, ...], index: int) -> str:
    value = arguments[index] if index < len(arguments) else "?"
    if isinstance(value, tuple):
        return ":".join(str(part) for part in value[:2])
    return os.fsdecode(value) if isinstance(value, (str, bytes)) else str(value)


def _origin() -> str:
    """Return " at FILE:LINE" for the nearest caller that is not an installed library, or ""."""
    here = os.getcwd() + os.sep
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = os.path.abspath(frame.f_code.co_filename)
        # Modules that are frozen into the interpreter have names like "<frozen os>".
        inside = file.startswith(here) and not file.startswith(f"{here}<")
        inside = inside and "site-packages" not in file
        if inside and file != os.path.abspath(__file__):
            return f" at {file[len(here) :]}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
