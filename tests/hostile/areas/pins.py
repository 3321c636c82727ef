"""Digest files: malformed JSON, members, names, digests, sizes and origins."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.hostile.entry import EXPORT_OF_PINS, Entry, any_of, holds

AREA = "pins"
ZERO = "0" * 64
GOOD = {"name": "model.safetensors", "sha256": ZERO, "size": 8}


def entries() -> Iterator[Entry]:
    """Yield the entries of this area."""
    for name, text, expected in (
        *_texts(),
        *_members(),
        *_names(),
        *_digests(),
        *_sizes(),
        *_origins(),
    ):
        raw = text if isinstance(text, bytes) else json.dumps(text).encode()
        yield Entry(AREA, name, holds({"p.json": raw}), EXPORT_OF_PINS, expected)


Case = tuple[str, object, str]


def _texts() -> Iterator[Case]:
    for name, raw in (
        ("an empty file", b""),
        ("an open object", b'{"files":'),
        ("no UTF-8", b'{"\xff":1}'),
        ("a NUL", b"{}\0"),
        ("nested 100,000 deep", b'{"files":' + b"[" * 100_000),
        ("files twice", b'{"files":[],"files":[]}'),
        ("5,000 digits", b'{"files":' + b"9" * 5000 + b"}"),
        ("UTF-16", "{}".encode("utf-16")),
        ("a page", b"<html></html>"),
        (
            "a member of an entry twice",
            b'{"files":[{"name":"a","name":"b","sha256":"0","size":1}]}',
        ),
    ):
        yield name, raw, "is not valid JSON"
    for value in any_of([], "a", 3, None, False):
        yield f"{json.dumps(value)} as the file", value, "must hold a JSON object"
    yield "40 MB", b" " * 40_000_000, "is larger than 32,000,000 bytes"
    yield (
        "3 million entries",
        b'{"files":[' + b"0," * 3_000_000 + b"0]}",
        "holds more than 2,000,000",
    )


def _members() -> Iterator[Case]:
    for value in any_of(None, {}, "a", 1, True):
        yield f"files {json.dumps(value)}", {"files": value}, "files must be a list"
    yield "no files", {"origin": "https://host/a"}, "files must be a list"
    yield "an empty list", {"files": []}, "no file is pinned"
    for key in ("Files", "url", "\x1b[31m", "x" * 50_000, ""):
        yield f"a member {ascii(key)[:20]}", {"files": [GOOD], key: 1}, "unknown field"
    for entry in any_of(None, 1, "a", [], {}, [GOOD], True):
        yield (
            f"{json.dumps(entry)[:20]} as an entry",
            {"files": [entry]},
            "every entry of files must hold",
        )
    for key, good in GOOD.items():
        rest = {k: v for k, v in GOOD.items() if k != key}
        yield f"an entry without {key}", {"files": [rest]}, "every entry of files must hold"
        yield (
            f"an entry with {key.upper()}",
            {"files": [{**rest, key.upper(): good}]},
            "every entry of files must hold",
        )
        for value in any_of(None, [], {}, True, 1.5):
            yield (
                f"{key} {json.dumps(value)}",
                {"files": [{**GOOD, key: value}]},
                "every entry of files must hold",
            )
    yield (
        "another member of an entry",
        {"files": [{**GOOD, "mode": 1}]},
        "every entry of files must hold",
    )
    yield "one name twice", {"files": [GOOD, {**GOOD, "size": 9}]}, "is pinned twice"


def _names() -> Iterator[Case]:
    for name in (
        "",
        ".",
        "..",
        "/",
        "a/",
        "/a",
        "../a",
        "a/../b",
        "a\\b",
        "a//b",
        "./a",
        "a\0b",
        "a\nb",
        "\x1b[2J",
        "\u202ea",
        "\ud800",
        "a" * 256,
        "é" * 128,
        "x" * 100_000,
        "\u2028",
        "C:\\a",
        "/etc/passwd",
        "a/./b",
    ):
        yield (
            f"a file called {ascii(name)[:24]}",
            {"files": [{**GOOD, "name": name}]},
            "cannot be pinned",
        )


def _digests() -> Iterator[Case]:
    for digest in any_of(
        "",
        "0",
        ZERO[:-1],
        ZERO + "0",
        "A" * 64,
        "g" * 64,
        "sha256:" + ZERO,
        ZERO + "\n",
        " " + ZERO[1:],
        "0x" + ZERO[2:],
        "٠" * 64,
        "../" + ZERO[3:],
        "/etc/passwd",
        "x" * 100_000,
        "\x1b" * 64,
    ):
        yield (
            f"a digest {ascii(digest)[:10]}...{ascii(digest)[-10:]} ({len(digest)})",
            {"files": [{**GOOD, "sha256": digest}]},
            "64 lower-case hexadecimal",
        )


def _sizes() -> Iterator[Case]:
    for size in any_of(-1, -(1 << 63), 1 << 63, 10**30):
        yield f"a size of {size}", {"files": [{**GOOD, "size": size}]}, "is not a number of bytes"
    yield (
        "a size of 50 digits",
        b'{"files":[{"name":"a","sha256":"0","size":' + b"9" * 50 + b"}]}",
        "an integer has 50 digits",
    )
    yield (
        "a size of 8 EB without an origin",
        {"files": [{**GOOD, "size": (1 << 63) - 1}]},
        "its pins name no origin",
    )


def _origins() -> Iterator[Case]:
    for origin in any_of(
        "",
        "host",
        "/etc",
        "ftp://h/a",
        "HTTP://h/a",
        "javascript:1",
        "data:,a",
        "ssh://h/a",
        "s3://b/a",
        "https:/h",
        "https://",
        "https://h/a?token=1",
        "https://h/a#b",
        "https://h/a b",
        "https://h/\n",
        "\x1b[31m",
    ):
        yield (
            f"the origin {ascii(origin)[:30]}",
            {"files": [GOOD], "origin": origin},
            "an origin must be an https://",
        )
    for origin in any_of("https://u@h/a", "https://u:{PASSWORD}@h/a", "https://@h/a"):
        raw = (
            json.dumps({"files": [GOOD], "origin": origin})
            .replace("{PASSWORD}", "pr0xySecret")
            .encode()
        )
        yield f"the origin {origin}", raw, "must not hold a user name or password"
    for origin in any_of(1, [], {}, True, 1.5):
        yield (
            f"the origin {json.dumps(origin)}",
            {"files": [GOOD], "origin": origin},
            "origin must be a string",
        )
    for origin, expected in (
        ("hf://", "must be an https://"),
        ("hf://a", "404"),
        ("hf://a/b@c d", "must be an https://"),
        ("hf://a/../b", "hf://org/repo@revision"),
        ("hf://-/-@/", "hf://org/repo@revision"),
        ("file://host/a", "is not a file of this machine"),
        ("file:///nowhere", "does not exist"),
        ("file:///dev", "does not exist"),
        ("http://example.org/a", "plain http is refused"),
        ("https://[::1/a", "is not a URL"),
        ("https://h:port/a", "is not a URL"),
        ("https://h:99999/a", "is not a URL"),
        ("https://a..b/a", "malformed. Correct it"),
        (f"https://{'a' * 64}.org/a", "malformed. Correct it"),
        ("file:///%00", "is not a file of this machine"),
        ("https://\u202eh/a", "Correct it"),
    ):
        yield f"the origin {ascii(origin)[:30]}", {"files": [GOOD], "origin": origin}, expected
