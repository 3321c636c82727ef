"""Holds a process to its declared inputs: no network, no subprocess, no other file.

A cached result is only right when everything that it depends on is in its cache key. The build puts
the declared inputs there; this module refuses the rest. It is an audit hook
(https://docs.python.org/3/library/audit_events.html): every `open`, listing of a folder, connection
and subprocess of Python code passes it. It is a guard against mistakes, not against malice, and it
cannot see what native libraries do by themselves.

Import nothing heavy here: the hook must be in place before the libraries that it watches.
"""

# Paths are text here: the hook sees every open, and must neither be slow nor follow links.
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
"""What libraries ask the machine about itself when they are imported; no model depends on it."""

_FILES = {
    "open": "opened",
    "os.listdir": "listed",
    "os.scandir": "listed",
    "sqlite3.connect": "opened",
}
"""Audit event that reads a file or a folder, its first argument -> what was done to it."""

_FORKS = ("os.fork", "os.forkpty")
"""What begins a second process whose refusals this one would not learn of."""

_SUBPROCESSES = {
    "os.exec": 0,
    "os.posix_spawn": 0,
    "os.spawn": 1,
    "os.system": 0,
    "pty.spawn": 0,
    "subprocess.Popen": 0,
}
"""Audit event that starts another program -> which of its arguments names the program."""

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
"""Audit event that reaches for the network -> which of its arguments names the other side."""


class Guard:
    """The rules in force. One to a process, as an audit hook stays until the process ends."""

    def __init__(self, what: str, roots: Iterable[Path]) -> None:
        self._what = what
        self._violations: list[ExportError] = []
        # Each under both its names: the sandbox reaches some of its inputs through links.
        self._roots = tuple(
            dict.fromkeys(
                name
                for root in [*roots, *_interpreter()]
                for name in (os.path.abspath(root), os.path.realpath(root))
            )
        )

    def verify(self) -> None:
        """Raises the first refusal, if there was one."""
        if self._violations:
            raise self._violations[0]

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The hook: refuses the event, or returns."""
        if event in _FILES:
            path = arguments[0]
            # The rest are files that are open already, and the working directory (None).
            if isinstance(path, (str, bytes)) and not self._is_declared(os.fsdecode(path)):
                self._refuse(
                    f"{_FILES[event]} {os.path.abspath(os.fsdecode(path))}, which is not among its "
                    "declared inputs",
                    "Declare it (as weights, as a `resource` the exporter depends on, or in a "
                    "requirement) or do without it",
                )
        elif event in _NETWORK:
            self._refuse(
                f"reached for the network ({event}: {_shown(arguments, _NETWORK[event])})",
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
        # With the separator, for these folders themselves may be listed.
        if self._is_below(absolute) or f"{absolute}/".startswith(_OF_THE_MACHINE):
            return True
        real = os.path.realpath(absolute)
        return self._is_below(real) or any(_below(real, root) for root in self._linked)

    def _is_below(self, path: str) -> bool:
        return any(_below(path, root) for root in self._roots)

    @cached_property
    def _linked(self) -> frozenset[str]:
        """Where a PEX's environment really lies: its site-packages are links to unpacked wheels."""
        return frozenset(
            os.path.realpath(entry.path)
            for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
            if os.path.isdir(folder)
            for entry in os.scandir(folder)
            if entry.is_symlink()
        )

    def _refuse(self, what: str, remedy: str) -> None:
        error = ExportError(
            f"{self._what} {what}{_origin()}. Results are cached by what they are declared to "
            f"depend on, so nothing else may be read. {remedy}."
        )
        self._violations.append(error)
        raise error


_installed: list[Guard] = []


def install(what: str, roots: Iterable[Path]) -> None:
    """From now on, refuses what is outside `roots`, the interpreter and its dependencies.

    `what` begins the message of a refusal: "exporters:gpt_oss". A refusal is raised as ExportError
    where it happens; call `verify` before the results are trusted.
    """
    guard = Guard(what, roots)
    sys.addaudithook(guard.audit)
    _installed.append(guard)


def verify() -> None:
    """Raises the first refusal of this process: the code that caused it may have swallowed it.

    Without a guard there is nothing to verify.
    """
    for guard in _installed:
        guard.verify()


def _interpreter() -> list[Path]:
    """The standard library and every folder or archive that Python imports from."""
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
    """Where it happened: the nearest caller that is no installed library, with a word before it."""
    here = os.getcwd() + os.sep
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = os.path.abspath(frame.f_code.co_filename)
        # What is frozen into the interpreter is named "<frozen os>".
        inside = file.startswith(here) and not file.startswith(f"{here}<")
        inside = inside and "site-packages" not in file
        if inside and file != os.path.abspath(__file__):
            return f" at {file[len(here) :]}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
