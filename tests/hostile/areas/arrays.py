"""Stored outputs: .npz files that are damaged, lie about their shapes, or hold too much."""

from __future__ import annotations

import atexit
import io
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tests.hostile.entry import FIXTURES, ROOT, Entry, Prepare, any_of

AREA = "npz"


def npy(
    header: str | bytes,
    data: bytes = b"",
    *,
    version: bytes = b"\x01\x00",
    magic: bytes = b"\x93NUMPY",
) -> bytes:
    """Return an array in numpy's format with this header."""
    raw = header if isinstance(header, bytes) else header.encode()
    return magic + version + struct.pack("<H", len(raw) & 0xFFFF) + raw + data


def described(descr: object = "<f4", shape: object = (2,), order: object = False) -> str:
    """Return a header."""
    return f"{{'descr': {descr!r}, 'fortran_order': {order!r}, 'shape': {shape!r}}}"


def archive(
    content: bytes, name: str = "whole/a.npy", compression: int = zipfile.ZIP_STORED
) -> bytes:
    """Return an .npz with one array."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as made:
        made.writestr(name, content)
    return stream.getvalue()


def entries() -> Iterator[Entry]:
    """Yield the entries of this area."""
    for name, raw, expected in (
        *_archives(),
        *_headers(),
        *_shapes(),
        *_types(),
        *_bombs(),
        *_cases(),
    ):
        yield _entry(name, _written(raw), expected)
    for name, make, expected in (
        ("a pipe", os.mkfifo, "it is not a regular file"),
        ("a link to nothing", lambda file: file.symlink_to("gone"), "it does not exist"),
        ("a link to itself", lambda file: file.symlink_to(file.name), "cannot be read as an .npz"),
        (
            "a link to /dev/zero",
            lambda file: file.symlink_to("/dev/zero"),
            "it is not a regular file",
        ),
        ("no file", lambda file: None, "it does not exist"),
    ):
        yield _entry(name, make, expected)


def _written(raw: bytes) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(raw)


def _entry(name: str, make: Callable[[Path], object], expected: str) -> Entry:
    arguments = (
        "verify",
        "{here}/m.onnx",
        "{here}/w",
        "--reference",
        "against_torch",
        "--data",
        "{here}/d.npz",
    )
    return Entry(AREA, name, _prepared(make), arguments, expected)


def _prepared(make: Callable[[Path], object]) -> Prepare:
    def prepare(here: Path) -> None:
        shutil.copytree(FIXTURES / "minilm_tiny", here / "w")
        for file in artifact().parent.iterdir():
            shutil.copy(file, here)
        make(here / "d.npz")

    return prepare


_made: list[Path] = []


def artifact() -> Path:
    """Return an artifact of the fixture ``minilm_tiny``, which is made once."""
    if not _made:
        folder = Path(tempfile.mkdtemp(prefix="hostile-artifact-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        weights = str(FIXTURES / "minilm_tiny")
        output = str(folder / "m.onnx")
        # Not in this process, which forks and so must not start threads.
        subprocess.run(
            [sys.executable, "-m", "exporters", "export", "minilm", weights, "-o", output],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        _made.append(folder / "m.onnx")
    return _made[0]


Case = tuple[str, bytes, str]


def _archives() -> Iterator[Case]:
    good = archive(npy(described(), bytes(8)))
    for size in any_of(0, 1, 4, 30, len(good) // 2, len(good) - 5):
        yield f"{size} bytes of an archive", good[:size], "it is not a zip archive"
    for name, raw in (
        ("text", b"hello"),
        ("an array", npy(described(), bytes(8))),
        ("a pickle", b"\x80\x04."),
        ("gzip", b"\x1f\x8b\x08"),
        ("zeros", bytes(1000)),
    ):
        yield name, raw, "it is not a zip archive"
    at = good.index(b"whole/a.npy")
    yield (
        "another name in the local header",
        good.replace(b"whole/a.npy", b"whole/b.npy", 1),
        "cannot be read as an .npz",
    )
    flipped = bytearray(good)
    flipped[at + 40] ^= 1
    yield "a flipped bit of data", bytes(flipped), "cannot be read as an .npz"
    packed = archive(
        npy(described("<f4", (2000,)), os.urandom(0) + bytes(range(250)) * 32),
        compression=zipfile.ZIP_DEFLATED,
    )
    for place in (60, 70, 80, 90):
        damaged = bytearray(packed)
        damaged[place] ^= 0x55
        yield f"a damaged deflate stream at {place}", bytes(damaged), "cannot be read as an .npz"
    for field, offset, value in (("encrypted", 8, 1), ("an unknown compression", 10, 77)):
        changed = bytearray(good)
        central = good.rindex(b"PK\x01\x02")
        for begin, where in ((0, offset - 2), (central, offset)):
            changed[begin + where : begin + where + 2] = value.to_bytes(2, "little")
        yield field, bytes(changed), "cannot be read as an .npz"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for number in range(10_001):
            made.writestr(f"whole/{number}.npy", b"")
    yield "10,001 arrays", stream.getvalue(), "it holds 10,001 arrays, more than 10,000"
    twice = archive(npy(described(), bytes(8)), "whole/a.npy")
    both = io.BytesIO(twice)
    import warnings

    with warnings.catch_warnings(), zipfile.ZipFile(both, "a") as made:
        warnings.simplefilter("ignore")
        made.writestr("whole/a.npy", npy(described(), bytes(8)))
    yield "one name twice", both.getvalue(), "two of its arrays have one name"
    yield "an empty archive", b"PK\x05\x06" + bytes(18), "gave no output to compare"


def _headers() -> Iterator[Case]:
    text = "cannot be read as an .npz"
    for name, raw in (
        ("no bytes", b""),
        ("another magic", npy(described(), magic=b"\x93NUMPX")),
        ("half a magic", b"\x93NU"),
        ("version 0", npy(described(), version=b"\0\0")),
        ("version 9", npy(described(), version=b"\x09\0")),
        ("a short header", npy(described())[:20]),
        ("an empty header", npy("")),
        ("no dictionary", npy("[]")),
        ("a call", npy("__import__('os').system('id')")),
        ("a name", npy("x")),
        ("an open dictionary", npy("{'descr': ")),
        ("nested 60,000 deep", npy("(" * 60_000)),
        ("a header of 70,000 bytes", npy(" " * 65_000 + described())),
        ("no shape", npy("{'descr': '<f4', 'fortran_order': False}")),
        ("another key", npy(described()[:-1] + ", 'a': 1}")),
        ("bytes that are no text", npy(b"\xff\xfe")),
        ("an f-string", npy("{'descr': f'{1}', 'fortran_order': False, 'shape': ()}")),
        ("a list as a key", npy("{[]: 1}")),
        (
            "5,000 digits",
            npy(described("<f4", "SHAPE").replace("'SHAPE'", "(" + "9" * 5000 + ",)")),
        ),
    ):
        yield name, archive(raw), text


def _shapes() -> Iterator[Case]:
    for shape in (
        (10**12,),
        (1 << 62, 4),
        (3,),
        (2, 2),
        (0,),
        (1,),
        (),
        (-1,),
        (1 << 64,),
        (2,) * 100,
        ("2",),
        [2],
        None,
        (2.0,),
        (True,),
        (10**30,),
    ):
        yield (
            f"8 bytes as the shape {str(shape)[:30]}",
            archive(npy(described("<f4", shape), bytes(8))),
            "cannot be read as an .npz",
        )


def _types() -> Iterator[Case]:
    for descr in (
        "O",
        "|O",
        [("a", "<f4"), ("b", "<f4")],
        "<f3",
        "x",
        "",
        None,
        1,
        "<M8[s]",
        "m8",
        ["<f4"],
        ("<f4", (2,)),
        "V0",
        "<f4,<f4",
        {"a": 1},
        "\x1b[31m",
    ):
        yield (
            f"the type {ascii(descr)[:30]}",
            archive(npy(described(descr), bytes(8))),
            "cannot be read as an .npz",
        )
    for order in any_of(None, 1, "F", []):
        yield (
            f"fortran_order {order!r}",
            archive(npy(described("<f4", (2,), order), bytes(8))),
            "cannot be read as an .npz",
        )


def _bombs() -> Iterator[Case]:
    zeros = npy(described("<f4", (1 << 20,))) + bytes(1 << 22)
    bomb = archive(zeros, compression=zipfile.ZIP_DEFLATED)
    central = bomb.rindex(b"PK\x01\x02")
    for name, size, expected in (
        ("4 GB", 0xFFFFFFF0, "bytes, more than 1,073,741,824"),
        ("1.1 GB", 1_100_000_000, "bytes, more than 1,073,741,824"),
        ("1 GB", 1_000_000_000, "lacks"),
        ("100 bytes", 100, "cannot be read as an .npz"),
        ("0 bytes", 0, "cannot be read as an .npz"),
    ):
        lying = bytearray(bomb)
        lying[central + 24 : central + 28] = size.to_bytes(4, "little")
        yield f"a size of {name} for 4 MB", bytes(lying), expected


def _cases() -> Iterator[Case]:
    def saved(**arrays: np.ndarray) -> bytes:
        stream = io.BytesIO()
        np.savez(stream, **arrays)  # type: ignore[arg-type]
        return stream.getvalue()

    ids = np.ones((1, 4), np.int64)
    good = {"input_ids": ids, "attention_mask": ids, "token_type_ids": ids}
    yield (
        "no inputs",
        saved(**{"whole/last_hidden_state": np.zeros((1, 4, 36), np.float32)}),
        "lacks",
    )
    yield "no outputs", saved(**{f"whole/{k}": v for k, v in good.items()}), "lacks every output"
    for name in good:
        arrays = {f"whole/{k}": v for k, v in good.items() if k != name}
        yield (
            f"no {name}",
            saved(**arrays, **{"whole/sentence_embedding": np.zeros((1, 36), np.float32)}),
            f"lacks {name}",
        )
    yield "a control character in a name", saved(**{"\x1b[31m/a": ids}), "lacks"
    for name, value, expected in (
        ("inputs of another type", ids.astype(np.float32), "but the model takes int64"),
        ("inputs of another rank", np.ones((1, 4, 1), np.int64), "fails on case"),
        ("inputs of another length", np.ones((1, 7), np.int64), "fails on case"),
        ("token ids out of range", np.full((1, 4), 10**6), "case(s) disagree"),
    ):
        arrays = {f"whole/{k}": v for k, v in good.items()}
        arrays["whole/input_ids"] = value  # type: ignore[assignment]
        yield (
            name,
            saved(**arrays, **{"whole/sentence_embedding": np.zeros((1, 36), np.float32)}),
            expected,
        )
    for name, output in (
        ("NaN", np.full((1, 36), np.nan, np.float32)),
        ("another shape", np.zeros((1, 35), np.float32)),
        ("another type", np.zeros((1, 36), np.float64)),
    ):
        arrays = {f"whole/{k}": v for k, v in good.items()}
        yield (
            f"{name} as the output",
            saved(**arrays, **{"whole/sentence_embedding": output}),
            "case(s) disagree",
        )
