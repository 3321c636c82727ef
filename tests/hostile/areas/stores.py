"""Pinned files: folders that differ from their pins, and a damaged store of weights."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.hostile.entry import EXPORT_OF_PINS, FIXTURES, Entry, Prepare, fixture

AREA = "store"


def entries() -> Iterator[Entry]:
    """Yield the entries of this area."""
    yield from _folders()
    yield from _stores()
    yield from _stamps()


def _piped(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _pinned(folder: Path) -> list[dict[str, Any]]:
    return [
        {
            "name": file.name,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "size": file.stat().st_size,
        }
        for file in sorted(folder.iterdir())
    ]


def _folders() -> Iterator[Entry]:
    def changed(change: Callable[[Path], object]) -> Prepare:
        def prepare(here: Path) -> None:
            fixture("minilm_tiny")(here)
            (here / "p.json").write_text(json.dumps({"files": _pinned(here / "w")}))
            change(here / "w")

        return prepare

    def flip(at: int, name: str = "model.safetensors") -> Callable[[Path], None]:
        def change(folder: Path) -> None:
            raw = bytearray((folder / name).read_bytes())
            raw[at] ^= 1
            (folder / name).write_bytes(raw)

        return change

    arguments = (
        "export",
        "minilm",
        "{here}/w",
        "--pins",
        "{here}/p.json",
        "-o",
        "{here}/out/m.onnx",
    )
    for name, change, expected in (
        *((f"a flipped bit at {at}", flip(at), "is pinned") for at in (0, 8, 100, -1)),
        ("a flipped bit in config.json", flip(3, "config.json"), "is pinned"),
        (
            "a byte more",
            lambda w: (w / "config.json").write_bytes((w / "config.json").read_bytes() + b" "),
            "are pinned",
        ),
        ("no config.json", lambda w: (w / "config.json").unlink(), "config.json does not exist"),
        (
            "no weights",
            lambda w: (w / "model.safetensors").unlink(),
            "model.safetensors does not exist",
        ),
        (
            "an empty file of weights",
            lambda w: (w / "model.safetensors").write_bytes(b""),
            "are pinned",
        ),
        (
            "a folder instead of config.json",
            lambda w: ((w / "config.json").unlink(), (w / "config.json").mkdir()),
            "is not a regular file",
        ),
        (
            "a pipe instead of config.json",
            lambda w: _piped(w / "config.json"),
            "is not a regular file",
        ),
        (
            "a link out of the folder",
            lambda w: (
                (w / "config.json").unlink(),
                (w / "config.json").symlink_to(FIXTURES / "minilm_tiny/config.json"),
            ),
            "symbolic link out",
        ),
    ):
        yield Entry(AREA, f"a folder with {name}", changed(change), arguments, expected)
    for name, pins in (
        ("missing", "{here}/gone.json"),
        ("a folder", "{here}/w"),
        ("of a name of 300 bytes", "{here}/" + "a" * 300),
    ):
        more = ("export", "minilm", "{here}/w", "--pins", pins, "-o", "{here}/out/m.onnx")
        yield Entry(
            AREA,
            f"--pins {name}",
            fixture("minilm_tiny"),
            more,
            "",
            status=2 if name == "a folder" else 1,
        )


def _stored(change: Callable[[Path], object], name: str = "config.json") -> Prepare:
    def prepare(here: Path) -> None:
        fixture("minilm_tiny")(here)
        pins = _pinned(here / "w")
        (here / "w" / "p.json").write_text(json.dumps({"files": pins}))
        (here / "s" / "sha256").mkdir(parents=True)
        for pin in pins:
            shutil.move(here / "w" / pin["name"], here / "s" / "sha256" / pin["sha256"])
        digest = next(pin["sha256"] for pin in pins if pin["name"] == name)
        change(here / "s" / "sha256" / digest)

    return prepare


def _stores() -> Iterator[Entry]:
    for name, change, expected in (
        (
            "another content",
            lambda f: f.write_bytes(b"x" * f.stat().st_size),
            "the store is corrupt",
        ),
        ("a shorter file", lambda f: f.write_bytes(b"x"), "the store is corrupt"),
        ("an empty file", lambda f: f.write_bytes(b""), "the store is corrupt"),
        ("a missing file", Path.unlink, "is not in the store of weights"),
        ("a folder", lambda f: (f.unlink(), f.mkdir()), "is not in the store of weights"),
        ("a pipe", _piped, "is not in the store of weights"),
        (
            "a link to nothing",
            lambda f: (f.unlink(), f.symlink_to("gone")),
            "is not in the store of weights",
        ),
        (
            "a link to /dev/zero",
            lambda f: (f.unlink(), f.symlink_to("/dev/zero")),
            "is not in the store of weights",
        ),
    ):
        for file in ("config.json", "model.safetensors"):
            yield Entry(
                AREA,
                f"a store with {name} for {file}",
                _stored(change, file),
                EXPORT_OF_PINS,
                expected,
            )


def _stamps() -> Iterator[Entry]:

    def stamped(text: str | None) -> Callable[[Path], None]:
        def change(file: Path) -> None:
            before = file.stat()
            stamps = file.parents[1] / "verified"
            stamps.mkdir()
            stamp = f"{before.st_ino} {before.st_mtime_ns} {before.st_size} {before.st_ctime_ns}"
            if text is None:
                (stamps / file.name).mkdir()
            else:
                (stamps / file.name).write_bytes(text.encode() or stamp.encode())
            file.write_bytes(b"x" * before.st_size)
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

        return change

    for name, text in (
        ("of the right file", ""),
        ("that is no stamp", "hello"),
        ("of another file", "1 2 3 4"),
    ):
        yield Entry(
            AREA,
            f"other content with time and size kept, and a stamp {name}",
            _stored(stamped(text)),
            EXPORT_OF_PINS,
            "the store is corrupt",
        )
    yield Entry(
        AREA,
        "a folder as the stamp",
        _stored(stamped(None)),
        EXPORT_OF_PINS,
        "the store is corrupt",
    )
