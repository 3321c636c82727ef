from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from exporters.errors import ExportError
from exporters.parity.references import stored_cases


def save(file: Path, arrays: Mapping[str, object]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name, value in arrays.items():
            with archive.open(f"{name}.npy", "w") as stream:
                np.save(stream, np.asarray(value))


def test_groups_arrays_into_cases(tmp_path: Path) -> None:
    ones = np.ones(2)
    arrays = {"b/x": ones, "b/y": 2 * ones, "b/hidden.0": ones, "a/x": ones, "a/z": ones}
    save(tmp_path / "r.npz", {"b/texts": ["some"], **arrays})
    first, second = stored_cases(tmp_path / "r.npz", ["x"], ["y", "z"])
    assert (first.name, list(first.inputs), list(first.outputs)) == ("b", ["x"], ["y"])
    assert (second.name, list(second.inputs), list(second.outputs)) == ("a", ["x"], ["z"])
    np.testing.assert_array_equal(first.outputs["y"], [2, 2])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a/y": [1]}, "case a lacks x"),
        ({"a/x": [1]}, r"case a lacks every output \(y\)"),
        ({"a/x": [object()], "a/y": [1]}, "cannot be read as an .npz"),
    ],
)
def test_refuses_a_file_that_is_not_a_reference(
    arrays: Mapping[str, object], message: str, tmp_path: Path
) -> None:
    save(tmp_path / "r.npz", arrays)
    with pytest.raises(ExportError, match=message):
        list(stored_cases(tmp_path / "r.npz", ["x"], ["y"]))


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut short", b"\x93NUMPY"])
def test_refuses_a_file_that_cannot_be_read(content: bytes | None, tmp_path: Path) -> None:
    data = tmp_path / "r.npz"
    if content is not None:
        data.write_bytes(content)
    with pytest.raises(ExportError, match="restore it, or run the script that writes it again"):
        list(stored_cases(data, ["x"], ["y"]))


def test_the_error_says_that_data_is_needed() -> None:
    with pytest.raises(ExportError, match="no data was given"):
        list(stored_cases(None, ["x"], ["y"]))
