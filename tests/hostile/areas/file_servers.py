"""Servers of files: bad statuses, headers, bodies, chunks and redirects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.hostile.answers import Case, Script, always, forever, http
from tests.hostile.entry import EXPORT_OF_PINS, Entry, holds

AREA = "file servers"
_SIZE = 100


def entries() -> Iterator[Entry]:
    """Yield the entries of this area."""
    pin = {"name": "model.safetensors", "sha256": "0" * 64, "size": _SIZE}
    for number, (name, _, expected) in enumerate(_cases()):
        text = json.dumps({"origin": f"{{hub}}/file{number}", "files": [pin]})
        prepare = holds({"p.json": text})
        yield Entry(AREA, name, prepare, EXPORT_OF_PINS, expected)


def scripts() -> Mapping[str, Script]:
    """Return the scripts of the servers by name."""
    return {f"file{number}": script for number, (_, script, _) in enumerate(_cases())}


def _cases() -> Iterator[Case]:
    yield from _statuses()
    yield from _heads()
    yield from _bodies()
    yield from _chunks()
    yield from _redirects()


def _statuses() -> Iterator[Case]:
    for status in (201, 202, 203, 204, 205, 207, 226, 299):
        yield f"status {status}", always(http(status, bytes(_SIZE))), "127.0.0.1"
    for status in (
        300,
        304,
        305,
        306,
        400,
        402,
        405,
        406,
        409,
        411,
        412,
        413,
        414,
        415,
        416,
        417,
        418,
        421,
        422,
        426,
        428,
        431,
        451,
        499,
        501,
        505,
        506,
        507,
        508,
        510,
        511,
        599,
        600,
        999,
    ):
        yield f"status {status}", always(http(status, b"\x1b[31mno")), f"answers {status}"
    for status in (401, 403):
        yield f"status {status}", always(http(status)), "accept the model's terms"
    for status in (404, 410):
        yield f"status {status}", always(http(status)), "Check repository, revision and file name"
    for status in (408, 425, 429, 500, 502, 503, 504):
        yield f"status {status}, always", always(http(status)), "and did so repeatedly"
    yield "status 407", always(http(407)), "HTTPS_PROXY"


def _heads() -> Iterator[Case]:
    for line in (
        "HTTP/1.1 abc X",
        "HTTP/1.1",
        "ICY 200 OK",
        "HTTP/9.9 200 OK",
        "",
        "\x1b[31m",
        "HTTP/1.1 -1 X",
        "HTTP/1.1 20000 X",
        "SSH-2.0-x",
        "220 ftp ready",
    ):
        yield f"the status line {line!a}", always(f"{line}\r\n\r\n".encode()), "127.0.0.1"
    yield "no answer", always(b""), "and did so repeatedly"
    yield (
        "a status line of 70,000 bytes",
        always(b"HTTP/1.1 200 " + b"a" * 70_000 + b"\r\n\r\n"),
        "127.0.0.1",
    )
    yield "a header of 70,000 bytes", always(http(200, X="a" * 70_000)), "127.0.0.1"
    many: dict[str, Any] = {f"X_{i}": i for i in range(101)}
    yield "101 headers", always(http(200, **many)), "127.0.0.1"
    yield "headers without end", forever(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"), "127.0.0.1"
    for length in (_SIZE - 1, _SIZE + 1, 0, 10**15, "9" * 30, "9" * 5000):
        yield (
            f"a length of {str(length)[:20]} ({len(str(length))})",
            always(http(200, bytes(_SIZE), length)),
            "are pinned",
        )
    for length in ("-1", "a", "1e2", "0x64", "", "100, 100", "٣"):
        yield f"the length {length!a}", always(http(200, bytes(_SIZE), length)), "is pinned"


def _bodies() -> Iterator[Case]:
    yield (
        "a body that ends early",
        always(http(200, bytes(_SIZE - 1), _SIZE)),
        "and did so repeatedly",
    )
    yield (
        "a body that is too long, without a length",
        always(http(200, bytes(_SIZE + 1), False)),
        "has more bytes",
    )
    yield "a body without end", forever(http(200, b"", False), bytes(1 << 16)), "has more bytes"
    yield "the wrong content", always(http(200, bytes(_SIZE))), "is pinned for model.safetensors"
    for kind in ("text/html", "text/html; charset=utf-8", "application/xhtml+xml"):
        yield (
            f"a page ({kind})",
            always(http(200, bytes(_SIZE), Content_Type=kind)),
            "answers with a web page",
        )
    for coding in ("gzip", "br", "deflate", "zstd", "compress"):
        yield (
            f"the coding {coding}",
            always(http(200, bytes(_SIZE), Content_Encoding=coding)),
            "is sent compressed",
        )
    for span in (
        "bytes 50-99/100",
        "bytes 1-100/100",
        "bytes 0-99/50",
        "bytes 0-99/1000000",
        "bytes a-b/c",
        "items 0-99/100",
        "",
        f"bytes {'9' * 5000}-1/2",
    ):
        text = "127.0.0.1"
        yield (
            f"status 206 and the range {span[:24]!r}",
            always(http(206, bytes(_SIZE), Content_Range=span)),
            text,
        )


def _chunks() -> Iterator[Case]:
    head = http(200, b"", False, Transfer_Encoding="chunked")
    for size in ("zz", "-5", "", "0x5", " 5 5", "5;" + "a" * 70_000, "\x1b", "٣", "1" * 70_000):
        yield (
            f"a chunk of the size {ascii(size)[:20]}",
            always(head, f"{size}\r\nabcde\r\n".encode()),
            "127.0.0.1",
        )
    for size in ("ffffffffffffffff", "f" * 1000, "7fffffffffffffff"):
        yield (
            f"a chunk of the size {size[:16]} ({len(size)})",
            always(head, f"{size}\r\nabcde".encode()),
            "and did so repeatedly",
        )
    yield "a chunk that ends early", always(head, b"50\r\nabc"), "and did so repeatedly"
    yield "no last chunk", always(head, b"3\r\nabc\r\n"), "and did so repeatedly"
    yield "chunks without end", forever(head, b"10\r\n" + bytes(16) + b"\r\n"), "has more bytes"
    yield (
        "chunks that are too short",
        always(head, b"3\r\nabc\r\n0\r\n\r\n"),
        "and did so repeatedly",
    )
    yield "200 chunks of one byte", always(head, *[b"1\r\na\r\n"] * 200), "has more bytes"


def _to_itself(status: int) -> Script:
    return lambda path, url: [http(status, Location=f"{url}{path}")]


def _redirects() -> Iterator[Case]:
    for status in (301, 302, 303, 307, 308):
        yield (
            f"status {status} to itself",
            _to_itself(status),
            "redirects in a circle",
        )
        yield f"status {status} without a place", always(http(status)), f"answers {status}"
    yield (
        "redirects to ever new places",
        lambda path, url: [http(302, Location=f"{url}{path}a")],
        "redirects in a circle",
    )
    for place, expected in (
        ("http://example.org/a", "plain http is refused"),
        ("ftp://h/a", "the scheme 'ftp' is not supported"),
        ("file:///etc/passwd", "the scheme 'file' is not supported"),
        ("data:text/plain,a", "the scheme 'data' is not supported"),
        ("https://u:pr0xySecret@h/a", "a user name or password"),
        ("https://[::1", "malformed URL"),
        ("https://h:99999/", "is not a URL"),
        ("https://a..b/", "127.0.0.1"),
        ("https://", "is not a URL"),
        ("//", "127.0.0.1"),
        ("javascript:alert(1)", "the scheme 'javascript'"),
        ("http://127.0.0.1:1/a", "127.0.0.1"),
        ("http://localhost.example/a", "plain http is refused"),
        ("http://169.254.169.254/latest", "plain http is refused"),
        ("http://[::ffff:8.8.8.8]/", "plain http is refused"),
        ("http://0.0.0.0/a", "plain http is refused"),
        ("HTTP://EXAMPLE.ORG/a", "plain http is refused"),
        ("gopher://h/a", "is not supported"),
        ("https://h\x7f/a", "127.0.0.1"),
        ("http://10.0.0.1/a", "plain http is refused"),
        ("\x1b[31m", "127.0.0.1"),
        ("a" * 60_000, "127.0.0.1"),
        ("https://" + "a" * 70 + ".org/", "127.0.0.1"),
    ):
        yield (
            f"a redirect to {ascii(place)[1:-1][:36]}",
            always(http(302, Location=place)),
            expected,
        )
    endless = http(302, b"", 3_000_000_000, Location="https://h:99999/")
    yield "a redirect with a body of 3 GB", forever(endless, bytes(1 << 16)), "is not a URL"
