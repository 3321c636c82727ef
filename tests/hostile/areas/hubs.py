"""Model hubs: bad revisions, listings, entries, pages and folders."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.hostile.answers import Case, Script, always, forever, http
from tests.hostile.entry import Entry, any_of, nothing

AREA = "hubs"
_COMMIT = "0123456789abcdef0123456789abcdef01234567"


def entries() -> Iterator[Entry]:
    """Yield the entries of this area."""
    arguments = ("pin", "hf://org/repo@main", "-o", "{here}/out/p.json")
    for number, (name, _, expected) in enumerate(_cases()):
        endpoint = {"HF_ENDPOINT": f"{{hub}}/hub{number}"}
        yield Entry(AREA, name, nothing, arguments, expected, endpoint)


def scripts() -> Mapping[str, Script]:
    """Return the scripts of the servers by name."""
    return {f"hub{number}": script for number, (_, script, _) in enumerate(_cases())}


def _cases() -> Iterator[Case]:
    yield from _documents()
    yield from _entries()
    yield from _listings()


def _hub(
    listing: Script | object, commit: object = _COMMIT, revision: Script | None = None
) -> Script:
    def script(path: str, url: str) -> Iterable[bytes]:
        if "/revision/" in path:
            return (
                revision(path, url)
                if revision
                else [http(200, json.dumps({"sha": commit}).encode())]
            )
        if "/tree/" in path:
            return (
                listing(path, url)
                if callable(listing)
                else [http(200, json.dumps(listing).encode())]
            )
        return [http(200, b"{}")]

    return script


def _listed(**changes: object) -> list[dict[str, Any]]:
    lfs = {"oid": "0" * 64, "size": 8, **changes}
    return [{"type": "file", "path": "model.safetensors", "lfs": lfs}]


def _documents() -> Iterator[Case]:
    for commit in any_of(
        None,
        1,
        [],
        {},
        "",
        "main",
        _COMMIT[:-1],
        _COMMIT.upper(),
        _COMMIT + "0",
        "../" + _COMMIT[3:],
        "\x1b" * 40,
        True,
    ):
        yield f"the commit {commit!a}", _hub([], commit), "names no commit"
    for raw, expected in (
        (b"", "is not valid JSON"),
        (b"<html>", "is not valid JSON"),
        (b"[]", "must hold a JSON object"),
        (b"{}", "names no commit"),
        (b"null", "must hold a JSON object"),
        (b'{"sha":' + b"[" * 100_000, "nested too deep"),
        (b'{"sha":' + b"9" * 5000 + b"}", "5,000 digits"),
        (b'{"sha":"a","sha":"b"}', "is given twice"),
        (b"\xff", "is not valid JSON"),
        (b" " * 40_000_000, "is larger than 32,000,000 bytes"),
        (b"[" + b"1," * 3_000_000 + b"1]", "holds more than 2,000,000"),
    ):
        yield (
            f"the revision {ascii(raw[:20])[2:-1]} ({len(raw)})",
            _hub([], revision=always(http(200, raw))),
            expected,
        )
        wrong = (
            "is not a listing"
            if raw in (b"{}", b"null")
            else "holds no safetensors"
            if raw == b"[]"
            else expected
        )
        wrong = wrong if raw != b'{"sha":"a","sha":"b"}' else "is given twice"
        yield (
            f"the listing {ascii(raw[:20])[2:-1]} ({len(raw)})",
            _hub(always(http(200, raw))),
            wrong,
        )
    yield (
        "an endless revision",
        _hub([], revision=forever(http(200, b"", False), bytes(1 << 20))),
        "is larger than 100,000,000 bytes",
    )


def _entries() -> Iterator[Case]:
    for entry in any_of(
        None,
        1,
        "a",
        [],
        {},
        {"type": "file"},
        {"path": None},
        {"path": 1},
        {"path": []},
    ):
        yield f"the entry {json.dumps(entry)}", _hub([entry]), "malformed listing"
    for value in any_of(None, "8", 8.0, [], {}, True):
        yield f"the size {json.dumps(value)}", _hub(_listed(size=value)), "no digest or no size"
    for value in any_of(None, 1, [], {}, True):
        yield f"the digest {json.dumps(value)}", _hub(_listed(oid=value)), "no digest or no size"
    for value in any_of("", "sha256:" + "0" * 64, "A" * 64, "0" * 63, "\x1b" * 64, "x" * 100_000):
        yield (
            f"the digest {ascii(value)[:24]} ({len(value)})",
            _hub(_listed(oid=value)),
            "64 lower-case hexadecimal",
        )
    for value in any_of(-1, 1 << 63, 10**30):
        yield f"the size {value}", _hub(_listed(size=value)), "is not a number of bytes"
    yield "no safetensors", _hub([{"type": "file", "path": "a.txt"}]), "holds no safetensors"
    yield (
        "a folder of that name",
        _hub([{"type": "directory", "path": "model.safetensors"}]),
        "holds no safetensors",
    )
    yield "no type", _hub([{"path": "model.safetensors"}]), "holds no safetensors"
    for path in (
        "\x1b[2J.safetensors",
        "a\n.safetensors",
        "\u202e.safetensors",
        "a" * 300 + ".safetensors",
        "a\\b.safetensors",
        "\x00.safetensors",
    ):
        entry = {**_listed()[0], "path": path}
        yield f"the path {ascii(path)[:24]}", _hub([entry]), "cannot be pinned"


def _listings() -> Iterator[Case]:
    yield "one file twice", _hub(_listed() * 2), "is pinned twice"
    many = [{**_listed()[0], "path": f"{i}.safetensors"} for i in range(1001)]
    yield "1,001 files", _hub(many), "has more than 1,000 files to pin"
    yield (
        "30,000 entries",
        _hub([{"type": "file", "path": str(i)} for i in range(30_000)]),
        "has more than 20,000 entries",
    )

    def pages(path: str, url: str) -> Iterable[bytes]:
        number = int(path.partition("page=")[2] or 0) + 1
        return [
            http(200, b"[]", Link=f'<{url}/api/models/org/repo/tree/x?page={number}>; rel="next"')
        ]

    yield "empty pages without end", _hub(pages), "has more than 20,000 entries"
    yield (
        "a page that follows itself",
        _hub(lambda path, url: [http(200, b"[]", Link=f'<{url}{path}>; rel="next"')]),
        "goes round in a circle",
    )
    for place, expected in (
        ("http://example.org/", "plain http is refused"),
        ("file:///etc/passwd", "is not supported"),
        ("https://[::1", "malformed listing"),
        ("https://u:pr0xySecret@h/", "a user name or password"),
        ("https://h:99999/", "is not a URL"),
        ("ftp://h/", "is not supported"),
        ("https://a..b/", "malformed. Correct it"),
    ):
        yield (
            f"a next page at {place}",
            _hub(always(http(200, b"[]", Link=f'<{place}>; rel="next"'))),
            expected,
        )
    folders = [{"type": "directory", "path": f"{i % 10}_{i}"} for i in range(40)]
    yield (
        "40 folders of side files",
        _hub(
            lambda path, url: [
                http(200, json.dumps(folders if path.endswith(_COMMIT) else []).encode())
            ]
        ),
        "more than 20 folders",
    )
