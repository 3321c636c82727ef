"""Safetensors files: the length, the JSON, the entries and the data of a header."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.hostile.entry import Entry, Prepare, any_of, holds

AREA = "safetensors"
NAME = "model.safetensors"
F32: dict[str, Any] = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
DATA = bytes(8)

_DTYPES = {"BOOL": 8, "U8": 8, "I8": 8, "I16": 16, "F16": 16, "BF16": 16, "I32": 32, "F32": 32}
_DTYPES |= {"C64": 64, "F64": 64, "I64": 64, "U64": 64, "F8_E4M3": 8, "F8_E8M0": 8, "U16": 16}


def packed(header: object, data: bytes = DATA, *, length: int | None = None) -> bytes:
    """Return a safetensors file with this header, given as a value or as its bytes."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(raw) if length is None else length).to_bytes(8, "little") + raw + data


def entries() -> Iterator[Entry]:
    """Yield the entries of this area."""

    def entry(name: str, content: bytes | Prepare, expected: str) -> Entry:
        prepare = holds({NAME: content}) if isinstance(content, bytes) else content
        return Entry(AREA, name, prepare, ("inspect", "{here}/w"), expected)

    for name, content, expected in (
        *_lengths(),
        *_texts(),
        *_fields(),
        *_dtypes(),
        *_shapes(),
        *_offsets(),
        *_names(),
        *_metadata(),
        *_coverage(),
        *_impostors(),
        *_too_much(),
        *_truncations(),
    ):
        yield entry(name, content, expected)
    for name, make, expected in _kinds():
        yield entry(name, make, expected)


Case = tuple[str, bytes, str]


def _lengths() -> Iterator[Case]:
    good = packed({"a": F32})
    for length in (0, 1, 2, 7):
        yield (
            f"a length of {length}",
            good[:0] + packed({"a": F32}, length=length),
            "not valid JSON",
        )
    for length in (200, 1 << 16, 31_999_999):
        yield f"a length of {length}, past the end", packed({"a": F32}, length=length), "truncated"
    for power in (25, 31, 32, 40, 62, 63):
        text = f"declares a header of {1 << power} bytes"
        yield f"a length of 2**{power}", packed({"a": F32}, length=1 << power), text
    yield "a length of -1", packed({"a": F32}, length=(1 << 64) - 1), "declares a header of"
    for size in range(10):
        yield f"a file of {size} bytes", good[:size], f"truncated: {size} bytes"


def _texts() -> Iterator[Case]:
    for name, text in (
        ("an open object", b'{"a":'),
        ("an open string", b'{"a'),
        ("a trailing comma", b'{"a":1,}'),
        ("single quotes", b"{'a': 1}"),
        ("a comment", b'{/**/"a":1}'),
        ("two objects", b"{}{}"),
        ("text after the object", b'{"a":1} b'),
        ("a key that is a number", b"{1:2}"),
        ("no colon", b'{"a" 1}'),
        ("a raw line break in a string", b'{"a\n":1}'),
        ("half an escape", b'{"\\u12":1}'),
        ("an unknown escape", b'{"\\x41":1}'),
        ("a byte that is no UTF-8", b'{"\xff":1}'),
        ("an overlong encoding", b'{"\xc0\xaf":1}'),
        ("UTF-16", '{"a":1}'.encode("utf-16-le")),
        ("a NUL", b'{"a":1}\0'),
        ("hexadecimal", b'{"a":0x10}'),
        ("a leading zero", b'{"a":01}'),
        ("a plus", b'{"a":+1}'),
        ("a bare word", b'{"a":nul}'),
        ("a name twice", b'{"a":1,"a":1}'),
        ("5,000 digits", b'{"a":' + b"9" * 5000 + b"}"),
        ("nested 200,000 deep", b'{"a":' + b"[" * 200_000),
        ("objects nested 100,000 deep", b'{"a":' * 100_000),
    ):
        yield name, packed(text), "is not valid JSON"
    for name, text in (
        ("a list", b"[1]"),
        ("a string", b'"ab"'),
        ("a byte order mark", b"\xef\xbb\xbf{}"),
        ("white space first", b' {"a":1}'),
        ("a number", b"12345678"),
    ):
        yield f"{name} as the header", packed(text), "its header does not begin with '{'"


def _fields() -> Iterator[Case]:
    exact = "must hold exactly dtype, shape and data_offsets"
    for field, good in F32.items():
        less = {key: value for key, value in F32.items() if key != field}
        yield f"no {field}", packed({"a": less}), exact
        yield f"{field} in capitals", packed({"a": {**less, field.upper(): good}}), exact
    for extra in ("strides", "offset", "device", "", "Dtype"):
        yield f"a field {extra!r}", packed({"a": {**F32, extra: 1}}), exact
    for value in any_of(None, 1, "a", [], True, 1.5, {}):
        yield f"{json.dumps(value)} as an entry", packed({"a": value}), exact
    bad: Mapping[str, tuple[str, list[Any]]] = {
        "dtype": (
            "its dtype",
            [None, 1, True, [], {}, "", "f32", "F31", "FLOAT", "F32 ", "x" * 9999],
        ),
        "shape": (
            "its shape",
            [None, 1, "2", {}, [2.0], ["2"], [None], [True], [[2]], [-1], [1 << 63]],
        ),
        "data_offsets": (
            "its data_offsets",
            [
                None,
                8,
                "0-8",
                {},
                [],
                [8],
                [0, 4, 8],
                [0, 8.0],
                [0, "8"],
                [None, 8],
                [-8, 0],
                [False, True],
                [0, 1 << 63],
                [[0, 8]],
            ],
        ),
    }
    for field, (expected, values) in bad.items():
        for value in values:
            shown = json.dumps(value)[:20]
            yield f"{field} {shown}", packed({"a": {**F32, field: value}}), expected


def _dtypes() -> Iterator[Case]:
    for dtype, bits in _DTYPES.items():
        info = {"dtype": dtype, "shape": [3], "data_offsets": [0, 3 * bits // 8 + 1]}
        yield f"{dtype} with a byte too many", packed({"a": info}, bytes(99)), "takes"
        info = {"dtype": dtype, "shape": [3], "data_offsets": [0, 3 * bits // 8 - 1]}
        yield f"{dtype} with a byte too few", packed({"a": info}, bytes(99)), "takes"
    for dtype in ("F4", "F6_E2M3", "F6_E3M2"):
        info = {"dtype": dtype, "shape": [1], "data_offsets": [0, 1]}
        yield f"half a byte of {dtype}", packed({"a": info}, b"a"), "does not fill whole bytes"


def _shapes() -> Iterator[Case]:
    for shape in ([1 << 62, 4], [1 << 31] * 3, [(1 << 63) - 1] * 64, [1 << 40, 0, 1]):
        info = {**F32, "shape": shape}
        yield f"a shape of {str(shape)[:24]}", packed({"a": info}), "takes"
    for count in (65, 1000, 100_000, 900_000):
        info = {**F32, "shape": [1] * count}
        yield f"{count:,} dimensions", packed({"a": info}), "dimensions, more than 64"
    for count in (65, 50_000):
        info = {**F32, "shape": [(1 << 63) - 1] * count}
        yield f"{count:,} huge dimensions", packed({"a": info}), "dimensions, more than 64"


def _offsets() -> Iterator[Case]:
    for begin, end in ((0, 0), (8, 0), (1, 8), (0, 7), (4, 4), (0, 9), (8, 8)):
        info = {**F32, "data_offsets": [begin, end]}
        yield f"offsets {begin}..{end}", packed({"a": info}), "takes 8 bytes"
    for begin in (1, 8, 1000, (1 << 62)):
        info = {**F32, "data_offsets": [begin, begin + 8]}
        yield f"data at {begin}", packed({"a": info}), "past the end of the file"
    yield "data that ends early", packed({"a": F32}, bytes(7)), "past the end of the file"


def _names() -> Iterator[Case]:
    for name in (
        "",
        "\x1b[2J",
        "a\nb",
        "\0",
        "\u202eabc",
        "\ud800",
        "a\x7f",
        "\u2028",
        "\r",
        "\x9b31m",
        "a\tb",
        "\u200b",
        "\ufeff",
        "x" * 1001,
        "x" * 1_000_000,
    ):
        shown = ascii(name)[:16]
        yield (
            f"a tensor called {shown} ({len(name)})",
            packed({name: F32}),
            "its name is empty, has unprintable",
        )


def _metadata() -> Iterator[Case]:
    for value in any_of(
        None, 1, "pt", [], [1], True, {"a": 1}, {"a": None}, {"a": {}}, {"a": ["b"]}
    ):
        header = {"__metadata__": value, "a": F32}
        yield f"__metadata__ {json.dumps(value)}", packed(header), "must map names to strings"


def _coverage() -> Iterator[Case]:
    def two(first: tuple[int, int], second: tuple[int, int]) -> dict[str, Any]:
        return {
            name: {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]}
            for name, (begin, end) in (("a", first), ("b", second))
        }

    for first, second, size, expected in (
        ((0, 4), (3, 8), 8, "overlaps tensor 'a' by 1 bytes"),
        ((0, 8), (0, 8), 8, "overlaps"),
        ((0, 8), (2, 4), 8, "overlaps"),
        ((0, 3), (4, 8), 8, "1 bytes between 'a' and tensor 'b' belong to no tensor"),
        ((1, 4), (4, 8), 8, "1 bytes between 'the header' and tensor 'a'"),
        ((0, 4), (4, 7), 8, "1 bytes after 'b' belong to no tensor"),
        ((4, 8), (0, 3), 8, "belong to no tensor"),
        ((0, 4), (4, 9), 8, "past the end of the file"),
    ):
        yield f"tensors at {first} and {second}", packed(two(first, second), bytes(size)), expected
    yield "no tensors but data", packed({}), "8 bytes after 'the header'"
    yield "only metadata and data", packed({"__metadata__": {}}), "8 bytes after 'the header'"
    yield "a megabyte of padding", packed({"a": F32}, bytes(1 << 20)), "belong to no tensor"


def _impostors() -> Iterator[Case]:
    yield from (
        (
            "an LFS pointer",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
            "git lfs pull",
        ),
        ("a zip archive", b"PK\x03\x04" + bytes(100), "is a zip archive"),
        ("a pickle", b"\x80\x04\x95" + bytes(100), "is a pickle, which is never read"),
        ("a page", b"<!DOCTYPE html><html>" + bytes(100), "is a web page"),
        ("XML", b"<?xml version='1.0'?>" + bytes(100), "is a web page"),
        ("an ELF program", b"\x7fELF" + bytes(100), "is not safetensors"),
        ("gzip", b"\x1f\x8b\x08" + bytes(100), "is not safetensors"),
        ("GGUF", b"GGUF\x03\0\0\0" + bytes(100), "is not safetensors"),
        ("zstandard", b"\x28\xb5\x2f\xfd" + bytes(100), "is not safetensors"),
        ("HDF5", b"\x89HDF\r\n\x1a\n" + bytes(100), "is not safetensors"),
        ("numpy's format", b"\x93NUMPY\x01\0" + bytes(100), "is not safetensors"),
        ("JSON without a length", json.dumps({"a": F32}).encode(), "is not safetensors"),
        ("zeros", bytes(1000), "is not safetensors"),
        ("text", b"hello, world, this is text\n" * 9, "is not safetensors"),
        (
            "a big-endian length",
            packed({"a": F32})[7::-1] + packed({"a": F32})[8:],
            "declares a header",
        ),
    )


def _too_much() -> Iterator[Case]:
    yield (
        "31 MB of nested lists",
        packed(b'{"a":' + b"[" * 31_000_000),
        "holds more than 2,000,000 values",
    )
    yield (
        "7 million empty lists",
        packed(b'{"a":[' + b"[]," * 7_000_000 + b"0]}"),
        "holds more than",
    )
    yield "4 million numbers", packed(b'{"a":[' + b"1," * 4_000_000 + b"1]}"), "holds more than"
    many = b",".join(b'"%d":{}' % number for number in range(300_000))
    yield "300,000 empty entries", packed(b"{" + many + b"}"), "must hold exactly"
    yield "a name of 30 MB", packed(b'{"' + b"a" * 30_000_000 + b'":1}'), "its name is empty"
    yield (
        "a metadata string of 31 MB",
        packed(b'{"__metadata__":{"a":"' + b"x" * 31_000_000 + b'"}}'),
        "8 bytes after",
    )
    yield (
        "a header of 40 MB",
        packed(b"{" + b" " * 40_000_000 + b"}"),
        "at most 32,000,000 are read",
    )


def _truncations() -> Iterator[Case]:
    header = {
        name: {"dtype": "U8", "shape": [4], "data_offsets": [4 * i, 4 * i + 4]}
        for i, name in enumerate("abcd")
    }
    content = packed(header, bytes(16))
    for size in range(10, len(content), 11):
        yield f"truncated to {size} of {len(content)} bytes", content[:size], "truncated"


def _kinds() -> Iterator[tuple[str, Prepare, str]]:
    def made(make: Callable[[Path], None]) -> Prepare:
        def prepare(here: Path) -> None:
            (here / "w").mkdir()
            make(here / "w" / NAME)

        return prepare

    yield "a folder", made(Path.mkdir), "is not a regular file"
    yield "a pipe", made(os.mkfifo), "is not a regular file"
    yield "a link to nothing", made(lambda file: file.symlink_to("gone")), "does not exist"
    yield "a link to itself", made(lambda file: file.symlink_to(NAME)), "model.safetensors"
    yield (
        "a link to /dev/zero",
        made(lambda file: file.symlink_to("/dev/zero")),
        "symbolic link out of its folder",
    )
    yield (
        "a link out of the folder",
        made(lambda file: file.symlink_to("/etc/hostname")),
        "symbolic link out",
    )
    yield "a link to the folder", made(lambda file: file.symlink_to(".")), "model.safetensors"
