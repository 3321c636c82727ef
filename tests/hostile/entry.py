"""An entry of the catalogue: an input, the command that meets it, and the line that it must say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "weights" / "fixtures"

Prepare = Callable[[Path], None]
"""Makes the input in an empty folder."""

EXPORT_OF_PINS = (
    *("export", "minilm", "{here}/w/p.json"),
    *("--store", "{here}/s", "-o", "{here}/out/m.onnx"),
)
"""The arguments of an export whose weights are the digest file ``w/p.json``."""


@dataclass(frozen=True)
class Entry:
    """A bad input.

    Attributes:
        area: the area of the catalogue.
        name: the name within the area; it says what is bad.
        prepare: makes the input in an empty folder.
        arguments: the arguments of ``python -m exporters``. ``{here}`` stands for that folder, and
            ``{hub}`` for the URL of the server of bad answers. The working directory is its folder
            ``work``, which must be empty afterwards.
        expected: a part of the message, within one line, with the same names.
        environment: variables of the process, with the same names.
        status: the exit status; None if the input may be accepted or refused.
        limits: ``resource.RLIMIT_*`` of the process, by number.
        stdout: the file that takes the output, if it is not a plain one.
    """

    area: str
    name: str
    prepare: Prepare
    arguments: tuple[str, ...]
    expected: str
    environment: Mapping[str, str] = field(default_factory=dict)
    status: int | None = 1
    limits: Mapping[int, int] = field(default_factory=dict)
    stdout: str | None = None

    @property
    def title(self) -> str:
        """Return the name of the entry in the catalogue."""
        return f"{self.area}: {self.name}"


def any_of(*values: Any) -> tuple[Any, ...]:
    """Return values of any types, to be tried one after the other."""
    return values


def nothing(_: Path) -> None:
    """Make no input."""


def holds(files: Mapping[str, bytes | str], folder: str = "w") -> Prepare:
    """Return a function that makes a folder with files."""

    def prepare(here: Path) -> None:
        (here / folder).mkdir(exist_ok=True)
        for name, content in files.items():
            raw = (
                content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
            )
            (here / folder / name).write_bytes(raw)

    return prepare


def fixture(name: str, change: Callable[[Path], None] = nothing, folder: str = "w") -> Prepare:
    """Return a function that copies a checkpoint of the fixtures and changes it."""

    def prepare(here: Path) -> None:
        (here / folder).mkdir()
        for file in (FIXTURES / name).iterdir():
            if file.suffix in (".json", ".safetensors"):
                shutil.copyfile(file, here / folder / file.name)
        change(here / folder)

    return prepare


def config_with(changes: Mapping[str, Any]) -> Callable[[Path], None]:
    """Return a change of config.json. Keys may be paths, such as ``rope_scaling/factor``."""

    def change(folder: Path) -> None:
        file = folder / "config.json"
        config = json.loads(file.read_text())
        for path, value in changes.items():
            *parents, last = path.split("/")
            place = config
            for parent in parents:
                place = place[parent]
            place[last] = value
        file.write_text(json.dumps(config))

    return change
