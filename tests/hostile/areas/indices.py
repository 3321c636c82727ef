"""Indices of shards: what model.safetensors.index.json says, and the shards that it names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.hostile.areas.safetensors_files import F32, packed
from tests.hostile.entry import Entry, Prepare, any_of, holds, nothing

AREA = "index"
INDEX = "model.safetensors.index.json"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
MAP = {"a": FIRST, "b": SECOND}
SHARDS = {FIRST: packed({"a": F32}), SECOND: packed({"b": F32})}


def sharded(
    index: object, shards: Mapping[str, bytes] = SHARDS, then: Callable[[Path], None] = nothing
) -> Prepare:
    """Return a function that makes a folder of shards with an index, given as value or bytes."""
    raw = index if isinstance(index, bytes) else json.dumps(index).encode()

    def prepare(here: Path) -> None:
        holds({INDEX: raw, **shards})(here)
        then(here / "w")

    return prepare


def entries() -> Iterator[Entry]:
    """Yield the entries of this area."""
    for name, prepare, expected in (*_texts(), *_maps(), *_names(), *_disagreements(), *_files()):
        yield Entry(AREA, name, prepare, ("inspect", "{here}/w"), expected)


Case = tuple[str, Prepare, str]


def _texts() -> Iterator[Case]:
    for name, text in (
        ("an empty file", b""),
        ("an open object", b'{"weight_map":'),
        ("a trailing comma", b'{"weight_map":{},}'),
        ("no UTF-8", b'{"weight_map":{"\xff":"a"}}'),
        ("UTF-16", json.dumps({"weight_map": MAP}).encode("utf-16")),
        ("a byte order mark", b"\xef\xbb\xbf{}"),
        ("nested 100,000 deep", b"[" * 100_000),
        ("weight_map twice", b'{"weight_map":{},"weight_map":{}}'),
        ("a tensor twice", b'{"weight_map":{"a":"b","a":"b"}}'),
        ("4,301 digits", b'{"weight_map":' + b"1" * 4301 + b"}"),
        ("text behind", b'{"weight_map":{}} x'),
        ("a NUL", b'{"weight_map":{}}\0'),
        ("a page", b"<html>"),
        ("a pickle", b"\x80\x04."),
    ):
        yield name, sharded(text), "is not valid JSON"
    for value in any_of([], "a", 1, None, True, 1.5):
        yield f"{json.dumps(value)} as the index", sharded(value), "must hold a JSON object"
    yield "40 MB", sharded(b"{" + b" " * 40_000_000 + b"}"), "is larger than 32,000,000 bytes"
    yield (
        "3 million tensors",
        sharded(b'{"weight_map":{' + b'"a":"b",' * 3_000_000 + b"}}"),
        "holds more than 2,000,000",
    )


def _maps() -> Iterator[Case]:
    for value in any_of(None, [], {}, "a", 1, True, [["a", FIRST]]):
        yield (
            f"weight_map {json.dumps(value)}",
            sharded({"weight_map": value}),
            "weight_map is missing or empty",
        )
    yield "no weight_map", sharded({"metadata": {}}), "weight_map is missing or empty"
    yield "Weight_Map", sharded({"Weight_Map": MAP}), "weight_map is missing or empty"
    for value in any_of(None, 1, [], {}, True, 1.5, [FIRST], {"file": FIRST}):
        yield (
            f"a shard {json.dumps(value)}",
            sharded({"weight_map": {**MAP, "a": value}}),
            "is placed in",
        )


def _names() -> Iterator[Case]:
    plain = "A shard must be a plain file name"
    for name in (
        "",
        ".",
        "..",
        "/",
        "../model.safetensors",
        "/etc/passwd",
        "a/b.safetensors",
        "a\\b.safetensors",
        "..\\x.safetensors",
        "C:\\x.safetensors",
        "//host/x.safetensors",
        "./model.safetensors",
        "a\0.safetensors",
        "a\n.safetensors",
        "\x1b[2J.safetensors",
        "\u202e.safetensors",
        "\ud800.safetensors",
        "a" * 250 + ".safetensors",
        "é" * 130 + ".safetensors",
        "x" * 5000,
        "/proc/self/mem",
        "sub/../model.safetensors",
        "\u2028.safetensors",
        "file:///etc/passwd",
        "https://host/a.safetensors",
    ):
        yield (
            f"a shard called {ascii(name)[:40]}",
            sharded({"weight_map": {**MAP, "a": name}}),
            plain,
        )
    for name in (
        "model.bin",
        "model.pth",
        "model.pt",
        "model.pkl",
        "model.ckpt",
        "model.npz",
        "model",
        "safetensors",
        "model.safetensors.bin",
        "model.SAFETENSORS",
        "config.json",
        "model.safetensors ",
    ):
        yield (
            f"a shard called {name!r}",
            sharded({"weight_map": {**MAP, "a": name}}),
            "Only safetensors are read",
        )


def _disagreements() -> Iterator[Case]:
    text = "does not agree with its shards"
    yield "a tensor in no shard", sharded({"weight_map": {**MAP, "c": FIRST}}), text
    yield "a tensor in the other shard", sharded({"weight_map": {"a": SECOND, "b": FIRST}}), text
    yield "a tensor that the index lacks", sharded({"weight_map": {"a": FIRST, "c": SECOND}}), text
    extra = {**SHARDS, FIRST: packed({"a": F32, "c": {**F32, "data_offsets": [8, 16]}}, bytes(16))}
    yield "another tensor in a shard", sharded({"weight_map": MAP}, extra), text
    both = {**SHARDS, SECOND: packed({"a": F32})}
    yield "one tensor in two shards", sharded({"weight_map": MAP}, both), "lies in both"
    for missing in (FIRST, SECOND):
        rest = {name: raw for name, raw in SHARDS.items() if name != missing}
        yield f"no {missing}", sharded({"weight_map": MAP}, rest), f"names {missing}, which"
    yield "no shards", sharded({"weight_map": MAP}, {}), "does not hold"
    many = {f"t{i}": f"model-{i:05d}-of-20000.safetensors" for i in range(20_000)}
    yield "20,000 shards that do not exist", sharded({"weight_map": many}, {}), "and 19995 more"
    names = {f"tensor.{i}": FIRST for i in range(50_000)}
    yield (
        "50,000 tensors that do not exist",
        sharded({"weight_map": {**names, **MAP}}),
        "and 49995 more",
    )
    single = {**SHARDS, "model.safetensors": packed({"a": F32})}
    yield (
        "model.safetensors beside it",
        sharded({"weight_map": MAP}, single),
        "holds both model.safetensors",
    )
    for damage, expected in (
        (b"", "truncated"),
        (b"PK\x03\x04" + bytes(99), "zip archive"),
        (bytes(99), "is not safetensors"),
    ):
        yield (
            f"a shard of {damage[:4]!r}",
            sharded({"weight_map": MAP}, {**SHARDS, SECOND: damage}),
            expected,
        )
    yield "shards without an index", holds(SHARDS), "and no index"
    yield "one shard without an index", holds({FIRST: SHARDS[FIRST]}), "and no index"
    two = {"a.safetensors.index.json": b"{}", "b.safetensors.index.json": b"{}"}
    yield "two indices", holds(two), "holds several indices"


def _files() -> Iterator[Case]:
    def replaced(name: str, make: Callable[[Path], Any]) -> Callable[[Path], None]:
        def change(folder: Path) -> None:
            (folder / name).unlink()
            make(folder / name)

        return change

    good = {"weight_map": MAP}
    for name in (INDEX, SECOND):
        yield (
            f"a folder as {name}",
            sharded(good, then=replaced(name, Path.mkdir)),
            "is not a regular file",
        )
        yield (
            f"a pipe as {name}",
            sharded(good, then=replaced(name, os.mkfifo)),
            "is not a regular file",
        )
        gone = replaced(name, lambda file: file.symlink_to("gone"))
        yield f"a link to nothing as {name}", sharded(good, then=gone), name
        loop = replaced(name, lambda file: file.symlink_to(file.name))
        yield f"a link to itself as {name}", sharded(good, then=loop), name
        out = replaced(name, lambda file: file.symlink_to("/etc/hostname"))
        yield (
            f"a link out of the folder as {name}",
            sharded(good, then=out),
            "symbolic link out of its folder",
        )
        zero = replaced(name, lambda file: file.symlink_to("/dev/zero"))
        yield (
            f"a link to /dev/zero as {name}",
            sharded(good, then=zero),
            "symbolic link out of its folder",
        )
