"""Digest files are written, read and verified, and malformed ones are refused."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from weights import Pin, Pins, WeightsError
from weights.files.hashing import hash_file
from weights.files.pins import pin_folder

CONFIG = Pin("config.json", "ab" * 32, 25)
WEIGHTS = Pin("model.safetensors", "cd" * 32, 13_761_264_768)
TEXT = (
    "{\n"
    '  "origin": "hf://org/repo@0123",\n'
    '  "files": [\n'
    f'    {{"name": "config.json", "sha256": "{"ab" * 32}", "size": 25}},\n'
    f'    {{"name": "model.safetensors", "sha256": "{"cd" * 32}", "size": 13761264768}}\n'
    "  ]\n"
    "}\n"
)


def test_text_is_sorted_and_one_line_a_file(tmp_path: Path) -> None:
    pins = Pins((WEIGHTS, CONFIG), "hf://org/repo@0123")
    assert pins.dumps() == TEXT
    pins.write(tmp_path / "pins.json")
    assert Pins.read(tmp_path / "pins.json") == pins
    assert pins.size == 13_761_264_793


def test_without_an_origin(tmp_path: Path) -> None:
    Pins((CONFIG,)).write(tmp_path / "pins.json")
    assert "origin" not in (tmp_path / "pins.json").read_text()
    assert Pins.read(tmp_path / "pins.json") == Pins((CONFIG,))


def test_digest_depends_on_the_files_alone() -> None:
    one = Pins((WEIGHTS, CONFIG))
    assert one.digest == Pins((CONFIG, WEIGHTS), "https://host/folder").digest
    assert one.digest != Pins((WEIGHTS,)).digest
    assert one.digest != Pins((WEIGHTS, Pin("config.json", "ab" * 32, 26))).digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not valid JSON"),
        ("[]", "must hold a JSON object"),
        ('{"files": [], "files": []}', "'files' is given twice"),
        ("{}", "files must be a list"),
        ('{"files": []}', "no file is pinned"),
        ('{"files": {}}', "files must be a list"),
        ('{"files": [], "Origin": ""}', "unknown field 'Origin'"),
        ('{"files": [3]}', "every entry of files must hold"),
        (TEXT.replace(', "size": 25', ""), "every entry of files must hold"),
        (TEXT.replace('"size": 25', '"size": 25.0'), "every entry of files must hold"),
        (TEXT.replace('"size": 25', '"size": true'), "every entry of files must hold"),
        (TEXT.replace('"size": 25', '"size": -1'), "size -1 is not a number of bytes"),
        (TEXT.replace("ab" * 32, "AB" * 32), "not 64 lower-case hexadecimal"),
        (TEXT.replace("ab" * 32, "ab"), "not 64 lower-case hexadecimal"),
        (TEXT.replace("config.json", "../config.json"), "'../config.json' cannot be pinned"),
        (TEXT.replace("config.json", "a\\\\b"), "cannot be pinned"),
        (TEXT.replace("config.json", "/a"), "cannot be pinned"),
        (TEXT.replace("config.json", "a//b"), "cannot be pinned"),
        (TEXT.replace("config.json", "a/../b"), "cannot be pinned"),
        (TEXT.replace("config.json", "model.safetensors"), "pinned twice"),
        (TEXT.replace('"hf://org/repo@0123"', "3"), "origin must be a string"),
        (TEXT.replace("hf://org", "ftp://org"), "an origin must be an https://"),
        (TEXT.replace("hf://org/repo@0123", "https://h/a?token=SECRET"), "without a query"),
        (TEXT.replace("hf://org/repo@0123", "https://u:SECRET@h/a"), "user name or password"),
    ],
)
def test_malformed(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "pins.json"
    file.write_text(text)
    with pytest.raises(WeightsError) as caught:
        Pins.read(file)
    assert words in str(caught.value)
    assert str(file) in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"does not exist\. Write it with `python -m exporters pin"
    ):
        Pins.read(tmp_path / "absent.json")


def test_hash_agrees_with_sha256sum(tmp_path: Path) -> None:
    content = bytes(range(256)) * 40_000  # more than one buffer
    (tmp_path / "a").write_bytes(content)
    counts: list[int] = []
    sha256, size = hash_file(tmp_path / "a", counts.append)
    printed = subprocess.run(
        ["sha256sum", tmp_path / "a"], check=True, capture_output=True, text=True
    )
    assert printed.stdout.startswith(sha256)
    assert (size, sum(counts)) == (len(content), len(content))


def test_verify_names_every_file_at_fault(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        (tmp_path / name).write_bytes(name.encode())
    pins = pin_folder(tmp_path, ["a", "b", "c", "d"])
    pins.verify(tmp_path)
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"longer")
    (tmp_path / "c").unlink()
    with pytest.raises(WeightsError) as caught:
        pins.verify(tmp_path)
    first, second, third = str(caught.value).splitlines()
    found, expected = hashlib.sha256(b"x").hexdigest(), hashlib.sha256(b"a").hexdigest()
    assert first.startswith(f"{tmp_path / 'a'} has sha256 {found}; {expected} is pinned. Fetch it")
    assert second.startswith(f"{tmp_path / 'b'} has 6 bytes; 1 are pinned.")
    assert third.startswith(f"{tmp_path / 'c'} does not exist.")


def test_side_files_below_the_folder(tmp_path: Path) -> None:
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text("{}")
    pins = pin_folder(tmp_path, ["1_Pooling/config.json"])
    pins.write(tmp_path / "pins.json")
    assert Pins.read(tmp_path / "pins.json") == pins
    pins.verify(tmp_path)


@pytest.mark.parametrize("name", ["absent", "../a", "link", "folder/hostname"])
def test_pin_folder_refuses(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    (tmp_path / "folder").symlink_to("/etc")
    with pytest.raises(WeightsError, match=name.replace(".", r"\.")):
        pin_folder(tmp_path, [name])
