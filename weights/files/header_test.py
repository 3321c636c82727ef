"""Good and bad headers are judged as the format's reference implementation judges them."""

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from weights import WeightsError
from weights.files.header import read_header

F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def write(
    folder: Path, header: dict[str, Any] | str | bytes, data: int = 8, length: int | None = None
) -> Path:
    """Write a file with this header (text is written as it stands) and ``data`` zero bytes."""
    text = json.dumps(header) if isinstance(header, dict) else header
    raw = text.encode() if isinstance(text, str) else text
    file = folder / "model.safetensors"
    file.write_bytes((len(raw) if length is None else length).to_bytes(8, "little") + raw)
    with file.open("ab") as stream:
        stream.write(bytes(data))
    return file


def test_agrees_with_the_reference(tmp_path: Path) -> None:
    tensors: dict[str, np.ndarray[Any, Any]] = {
        "b": np.arange(6, dtype=np.float32).reshape(2, 3),
        "a": np.array(7, dtype=np.int64),
        "empty": np.zeros((0, 4), np.float16),
        "c": np.array([1, 2, 3], np.uint8),
    }
    file = tmp_path / "x.safetensors"
    save_file(tensors, file, metadata={"format": "np"})
    found, metadata = read_header(file)
    assert metadata == {"format": "np"}
    raw = file.read_bytes()
    assert {info.name for info in found} == set(tensors)
    for info in found:
        value = tensors[info.name]
        assert info.shape == value.shape
        assert raw[info.offset : info.offset + info.nbytes] == value.tobytes()


@pytest.mark.parametrize("size", range(60, 60 + 8))
def test_a_header_length_that_looks_like_text_is_a_length(tmp_path: Path, size: int) -> None:
    """A length may begin with 60, which is '<', or with 0x80, which begins a pickle."""
    for length in (size, 0x0280 + size - 60):
        file = write(tmp_path, json.dumps({"a": F32}).ljust(length))
        assert len(read_header(file)[0]) == 1


@pytest.mark.parametrize(
    ("dtype", "shape", "nbytes"),
    [("F4", [2, 3], 3), ("F6_E2M3", [4], 3), ("F8_E8M0", [3], 3), ("BF16", [], 2), ("C64", [1], 8)],
)
def test_sizes_of_types(tmp_path: Path, dtype: str, shape: list[int], nbytes: int) -> None:
    file = write(
        tmp_path, {"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, nbytes]}}, nbytes
    )
    assert read_header(file)[0][0].nbytes == nbytes


def entry(**changes: Any) -> dict[str, Any]:
    return {"layer.weight": {**F32, **changes}}


BAD_HEADERS: dict[str, tuple[Any, str]] = {
    "invalid JSON": ('{"layer.weight": ', "not valid JSON"),
    "not UTF-8": (b'{"\xff": 1}', "not valid JSON"),
    "duplicate name": (
        f'{{"layer.weight": {json.dumps(F32)}, "layer.weight": {json.dumps(F32)}}}',
        "'layer.weight' is given twice",
    ),
    "deep nesting": ('{"a":' * 100_000, "not valid JSON"),
    "absurd number": ('{"a":' + "9" * 5000 + "}", "not valid JSON"),
    "unknown dtype": (entry(dtype="F33"), "dtype 'F33' is none of BOOL"),
    "dtype is a list": (entry(dtype=["F32"]), "dtype"),
    "shape and size": (entry(shape=[3]), r"shape \[3\] takes 12 bytes, not 0..8"),
    "negative extent": (entry(shape=[-2]), "natural numbers"),
    "boolean extent": (entry(shape=[True, 2]), "natural numbers"),
    "float extent": (entry(shape=[2.0]), "natural numbers"),
    "overflowing extents": (entry(shape=[1 << 62, 1 << 62]), "takes"),
    "negative offset": (entry(data_offsets=[-8, 0]), "two natural numbers"),
    "reversed offsets": (entry(data_offsets=[8, 0]), "takes 8 bytes, not 8..0"),
    "three offsets": (entry(data_offsets=[0, 8, 8]), "two natural numbers"),
    "past the end": (entry(shape=[4], data_offsets=[0, 16]), "past the end of the file"),
    "half a byte": (entry(dtype="F4", shape=[3], data_offsets=[0, 2]), "whole bytes"),
    "missing field": ({"layer.weight": {"dtype": "F32", "shape": [2]}}, "exactly"),
    "extra field": (entry(strides=[1]), "exactly"),
    "entry is no object": ({"layer.weight": 3}, "exactly"),
    "empty name": ({"": F32}, "unprintable"),
    "escape in a name": ({"\x1b[2J": F32}, "unprintable"),
    "lone surrogate": ({"\ud800": F32}, "unprintable"),
    "overlap": (
        {"a": F32, "layer.weight": {"dtype": "U8", "shape": [4], "data_offsets": [4, 8]}},
        "'layer.weight' overlaps tensor 'a' by 4 bytes",
    ),
    "hole": (entry(shape=[1], data_offsets=[4, 8]), "4 bytes between 'the header' and tensor"),
    "trailing bytes": (entry(shape=[1], data_offsets=[0, 4]), "4 bytes after 'layer.weight'"),
    "metadata is a list": ({**entry(), "__metadata__": []}, "__metadata__"),
    "metadata of numbers": ({**entry(), "__metadata__": {"a": 1}}, "__metadata__"),
}


@pytest.mark.parametrize(("header", "message"), BAD_HEADERS.values(), ids=BAD_HEADERS.keys())
def test_bad_headers(tmp_path: Path, header: Any, message: str) -> None:
    file = write(tmp_path, header)
    with pytest.raises(WeightsError, match=message) as caught:
        read_header(file)
    assert str(file) in str(caught.value)
    assert "again" in str(caught.value)


# The reference accepts these: it keeps the last of two equal names, and does not check names.
LENIENT = {"duplicate name", "extra field", "empty name", "escape in a name", "boolean extent"}


@pytest.mark.parametrize("case", sorted(BAD_HEADERS.keys() - LENIENT))
def test_the_reference_refuses_the_other_headers_too(tmp_path: Path, case: str) -> None:
    file = write(tmp_path, BAD_HEADERS[case][0])
    with pytest.raises(safetensors.SafetensorError), safetensors.safe_open(file, "np"):
        pass


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated"),
        (b"\x08\x00", "truncated"),
        ((1000).to_bytes(8, "little") + b'{"a": {}}', "truncated"),
        ((1 << 60).to_bytes(8, "little") + b"{}", "declares a header of 1152921504606846976 bytes"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git lfs pull"),
        (b"PK\x03\x04 archive/data.pkl", "zip archive"),
        (b"\x80\x02}q\x00(X\x06\x00\x00\x00weight", "is a pickle"),
        (b"<!DOCTYPE html><title>Sign in</title>", "web page"),
        (b"nonsense, nonsense", "does not begin with"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=message) as caught:
        read_header(file)
    assert str(file) in str(caught.value)


VALID = (
    b'{"__metadata__":{"format":"pt"},'
    b'"b.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},'
    b'"a":{"dtype":"BF16","shape":[],"data_offsets":[24,26]},'
    b'"c":{"dtype":"U8","shape":[3,0],"data_offsets":[26,26]}}'
)
_EDITS = st.lists(
    st.tuples(
        st.integers(0, len(VALID) - 1),
        st.sampled_from(
            [b"", b"0", b"1", b"2", b"-", b".", b'"', b",", b"[]", b"{}", b"null", b" "]
        )
        | st.binary(min_size=1, max_size=2),
    ),
    max_size=3,
)


@settings(max_examples=400, deadline=None)
@given(edits=_EDITS, data=st.integers(20, 30))
@example(edits=[], data=26)
def test_nothing_is_accepted_that_the_reference_refuses(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, bytes]], data: int
) -> None:
    """A damaged header that is still accepted reads as the reference reads it."""
    raw = bytearray(VALID)
    for position, replacement in edits:
        raw[position : position + 1] = replacement
    file = write(tmp_path_factory.mktemp("fuzz"), bytes(raw), data)
    try:
        tensors, _ = read_header(file)
    except WeightsError:
        return
    header = safetensors.deserialize(file.read_bytes())  # type: ignore[no-untyped-call]
    assert {t.name: (t.dtype, list(t.shape), t.nbytes) for t in tensors} == {
        name: (value["dtype"], value["shape"], len(value["data"])) for name, value in header
    }


def test_not_a_regular_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        read_header(tmp_path / "absent")
    with pytest.raises(WeightsError, match="regular file"):
        read_header(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WeightsError, match="regular file"):
        read_header(tmp_path / "pipe")


def test_a_hundred_thousand_tensors_without_their_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, each = 100_000, 4 << 20
    header = {
        f"model.layers.{i}.weight": {
            "dtype": "F32",
            "shape": [1024, 1024],
            "data_offsets": [i * each, (i + 1) * each],
        }
        for i in range(count)
    }
    file = write(tmp_path, header, data=0)
    written = file.stat().st_size
    os.truncate(file, written + count * each)  # a sparse file of 400 GB
    read: list[int] = []

    class Counting(io.FileIO):
        def read(self, size: int | None = -1) -> bytes:
            raw = super().read(-1 if size is None else size)
            read.append(len(raw))
            return raw

    monkeypatch.setattr(Path, "open", lambda path, mode, buffering: Counting(path, mode))
    tensors, _ = read_header(file)
    assert len(tensors) == count
    assert written - 8 <= sum(read) < written + 64
