"""Digest files, which pin the bytes of a checkpoint and say where they come from.

A digest file is sorted JSON with one file per line, so that a change is easy to review::

    {
      "origin": "hf://openai/gpt-oss-20b@d666cf3b67006cf8227666739edf25164aaffdeb",
      "files": [
        {"name": "config.json", "sha256": "1c1e04ef...", "size": 1806},
        {"name": "model.safetensors", "sha256": "82da31ce...", "size": 13761264768}
      ]
    }

``origin`` is a URL to which ``/name`` is added. It is absent if the bytes have no known source.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from weights.errors import WeightsError
from weights.files.atomic import atomic_file, explained
from weights.files.checkpoint import check_inside, is_inner_path
from weights.files.hashing import State, changed, demand_file, hash_file
from weights.files.strict_json import read_object
from weights.progress import Advance, silent
from weights.rendering import quoted

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ORIGIN = re.compile(r"(https|http|hf|file)://[^\s?#]+")
_PIN = {"name": str, "sha256": str, "size": int}


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """A file, known by its content.

    Attributes:
        name: a file name, or a path below the folder such as ``1_Pooling/config.json``.
        sha256: the SHA-256 as 64 lower-case hexadecimal digits.
        size: the size in bytes.
    """

    name: str
    sha256: str
    size: int

    def __post_init__(self) -> None:
        if not is_inner_path(self.name):
            raise WeightsError(
                f"{quoted(self.name)} cannot be pinned: a pin needs a plain file name, or plain "
                "names with '/' between them, without '\\' or '..'."
            )
        if not _SHA256.fullmatch(self.sha256):
            raise WeightsError(
                f"the pin of {self.name}: sha256 {quoted(self.sha256)} is not 64 lower-case "
                "hexadecimal digits. Take it from `sha256sum`."
            )
        if not 0 <= self.size < 1 << 63:
            raise WeightsError(
                f"the pin of {self.name}: size {self.size!r} is not a number of bytes. "
                "Take it from `wc -c`."
            )


@dataclass(frozen=True, slots=True)
class Pins:
    """The pins of a checkpoint.

    Attributes:
        files: the files, sorted by name.
        origin: the URL that the files lie under, or None.
    """

    files: tuple[Pin, ...]
    origin: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", tuple(sorted(self.files)))
        names = [pin.name for pin in self.files]
        if not names:
            raise WeightsError("no file is pinned. Pin at least one safetensors file.")
        for name, after in pairwise(names):
            if name == after:
                raise WeightsError(f"{name} is pinned twice. Keep one of the two pins.")
        if self.origin is not None and not _ORIGIN.fullmatch(self.origin):
            raise WeightsError(
                "an origin must be an https://, file:// or hf:// URL without a query. "
                "Credentials never belong in a pin: the token is taken from HF_TOKEN."
            )
        if self.origin is not None and "@" in self.origin.split("/")[2]:
            raise WeightsError(
                "an origin must not hold a user name or password. Remove them: the token is taken "
                "from HF_TOKEN."
            )

    @property
    def size(self) -> int:
        """Return the size of all files together in bytes."""
        return sum(pin.size for pin in self.files)

    @property
    def digest(self) -> str:
        """Return a SHA-256 of names, digests and sizes. It does not depend on the origin."""
        lines = [f"{pin.sha256} {pin.size} {pin.name}\n" for pin in self.files]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @classmethod
    def read(cls, file: Path) -> "Pins":
        """Read a digest file.

        Raises:
            WeightsError: the file is missing or malformed, with the field at fault.
        """
        members = read_object(file, "Write it with `python -m exporters pin`.")
        try:
            return cls._from_json(members)
        except WeightsError as error:
            raise WeightsError(f"{file}: {error}") from None

    @classmethod
    def _from_json(cls, members: dict[str, Any]) -> "Pins":
        if unknown := sorted(members.keys() - {"origin", "files"}):
            raise WeightsError(f"unknown field {quoted(unknown[0])}. Known are origin and files.")
        files = members.get("files")
        if not isinstance(files, list):
            raise WeightsError("files must be a list of objects with name, sha256 and size.")
        for entry in files:
            if not isinstance(entry, dict) or _types_of(entry) != _PIN:
                raise WeightsError(
                    "every entry of files must hold exactly a name, a sha256 and a size in bytes, "
                    f"not {quoted(entry)}."
                )
        origin = members.get("origin")
        if origin is not None and not isinstance(origin, str):
            raise WeightsError("origin must be a string.")
        return cls(tuple(Pin(**entry) for entry in files), origin)

    def dumps(self) -> str:
        """Return the text of the digest file: one line per file, and equal for equal pins."""
        entries = [
            json.dumps({"name": pin.name, "sha256": pin.sha256, "size": pin.size})
            for pin in self.files
        ]
        origin = "" if self.origin is None else f'  "origin": {json.dumps(self.origin)},\n'
        return f'{{\n{origin}  "files": [\n    ' + ",\n    ".join(entries) + "\n  ]\n}\n"

    def write(self, file: Path) -> None:
        """Write the digest file, atomically."""
        with atomic_file(file) as stream:
            stream.write(self.dumps().encode())

    def verify(self, folder: Path, progress: Advance = silent) -> "Checked":
        """Check that every pinned file lies in ``folder`` with its size and digest.

        Returns:
            The files, to be checked again after they were used.

        Raises:
            WeightsError: naming every file that is missing or differs, expected and found.
        """
        for pin in self.files:
            check_inside(folder, pin.name)
        checked = Checked(folder, self.files)
        checked.check(progress)
        return checked


def _types_of(entry: dict[str, Any]) -> dict[str, type]:
    return {field: type(value) for field, value in entry.items()}


def pin_folder(folder: Path, names: Iterable[str], progress: Advance = silent) -> Pins:
    """Return the pins of files, which are read; see ``hash_folder``."""
    return hash_folder(folder, names, progress)[0]


def hash_folder(
    folder: Path, names: Iterable[str], progress: Advance = silent
) -> tuple[Pins, "Checked"]:
    """Return the pins of files, which are read, and the files, to be checked again after their use.

    Args:
        folder: the folder of the files.
        names: the names of the files.
        progress: called with the number of bytes as they are read.

    Raises:
        WeightsError: a file is missing or cannot be read.
    """
    pins, states = [], {}
    for name in names:
        file = check_inside(folder, name)
        demand_file(file)
        with explained(file):
            states[file] = State.of(file)
        sha256, size = hash_file(file, progress)
        pins.append(Pin(name, sha256, size))
    return Pins(tuple(pins)), Checked(folder, pins, states)


def check_file(file: Path, pin: Pin, progress: Advance = silent) -> State:
    """Check a file against its pin: first the size, which costs nothing, and then the digest.

    Args:
        file: the file.
        pin: the expected content.
        progress: called with the number of bytes as they are read.

    Returns:
        The state of the file that was read.

    Raises:
        WeightsError: the file is missing, differs (with what was expected and found), or was
            changed while it was read.
    """
    remedy = (
        "Fetch it again; if it was meant to change, write the pins again and review the change."
    )
    demand_file(file)
    with explained(file):
        before = State.of(file)
    if (size := before.content[-1]) != pin.size:
        raise WeightsError(f"{file} has {size} bytes; {pin.size} are pinned. {remedy}")
    sha256, _ = hash_file(file, progress)
    if sha256 != pin.sha256:
        raise WeightsError(f"{file} has sha256 {sha256}; {pin.sha256} is pinned. {remedy}")
    with explained(file):
        if State.of(file).content != before.content:
            raise changed(file)
    return before


class Checked:
    """The files of a folder with known content, which may be checked again after they were used.

    Args:
        folder: the folder.
        pins: the digests of the files.
        states: the states of the files that have these digests. The others are read by ``check``.
    """

    def __init__(
        self, folder: Path, pins: Iterable[Pin], states: Mapping[Path, State] | None = None
    ) -> None:
        self._files = {folder / pin.name: pin for pin in pins}
        self._states = dict(states or {})

    def check(self, progress: Advance = silent) -> None:
        """Check each file that may have changed since the last check, or was not checked yet.

        Raises:
            WeightsError: naming every file that is missing or differs, expected and found.
        """
        wrong = []
        for file, pin in self._files.items():
            try:
                if file not in self._states or _state(file) != self._states[file]:
                    self._states[file] = check_file(file, pin, progress)
            except WeightsError as error:
                wrong.append(str(error))
        if wrong:
            raise WeightsError("\n".join(wrong))


def _state(file: Path) -> State | None:
    return State.of(file) if file.is_file() else None
