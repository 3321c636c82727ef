"""Bad input gives one clear message, a non-zero exit status, no traceback and no files."""

from __future__ import annotations

import errno
import http.server
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

from exporters.cli.main import cli
from tests.commands import FIXTURES, change_config, change_tensors, copy_fixture
from weights import Checkpoint

TOKEN = "hf_neverTellThisToAnyone"


def refused(*arguments: str | Path, code: int = 1) -> str:
    """Return the message of a command that must fail."""
    result = CliRunner().invoke(cli, [str(each) for each in arguments])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code
    assert "Traceback" not in result.output
    assert TOKEN not in result.output
    return result.output


def export_refused(family: str, weights: str | Path, tmp_path: Path, *more: str) -> str:
    """Return the message of an export that must fail and leave nothing."""
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    message = refused("export", family, weights, "-o", out / "m.onnx", *more)
    assert not list(out.iterdir())
    return message


Damage = Callable[[Path], None]


def tensors(**changes: np.ndarray | None) -> Damage:
    names = {"norm": "model.norm.weight", "extra": "model.rotary.inv_freq"}
    return lambda folder: change_tensors(folder, {names[k]: v for k, v in changes.items()})


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (tensors(norm=None), ["missing tensors (1)", "model.norm.weight (for norm.weight)"]),
        (
            tensors(extra=np.zeros(4, np.float32)),
            ["extra tensors (1)", "model.rotary.inv_freq: float32[4] in model.safetensors"],
        ),
        (
            tensors(norm=np.ones(63, np.float32)),
            ["model.norm.weight: expected float32[64] for norm.weight, found float32[63]"],
        ),
        (
            tensors(norm=np.ones(64, np.int32)),
            ["model.norm.weight", "found int32[64] in model.safetensors"],
        ),
    ],
    ids=["missing", "extra", "misshapen", "mistyped"],
)
def test_tensors_that_do_not_fit(tmp_path: Path, damage: Damage, expected: list[str]) -> None:
    folder = copy_fixture("gpt_oss_dense", tmp_path / "weights")
    damage(folder)
    message = export_refused("gpt_oss", folder, tmp_path)
    for text in (str(folder), *expected):
        assert text in message


def header(change: Callable[[dict[str, Any]], None]) -> Damage:
    """Return a damage that rewrites the header of model.safetensors and keeps the data."""

    def damage(folder: Path) -> None:
        file = folder / "model.safetensors"
        raw = file.read_bytes()
        length = int.from_bytes(raw[:8], "little")
        entries = json.loads(raw[8 : 8 + length])
        change(entries)
        text = json.dumps(entries).encode()
        file.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])

    return damage


def raw(change: Callable[[bytes], bytes]) -> Damage:
    def damage(folder: Path) -> None:
        file = folder / "model.safetensors"
        file.write_bytes(change(file.read_bytes()))

    return damage


def past_the_end(entries: dict[str, Any]) -> None:
    last = max((e for n, e in entries.items() if n[0] != "_"), key=lambda e: e["data_offsets"])
    last["shape"][0] += 1
    last["data_offsets"][1] += 4 * int(np.prod(last["shape"][1:]))


def overlapping(entries: dict[str, Any]) -> None:
    first, second = sorted(
        (e for n, e in entries.items() if n[0] != "_"), key=lambda e: e["data_offsets"]
    )[:2]
    second["data_offsets"] = first["data_offsets"]
    second["shape"], second["dtype"] = first["shape"], first["dtype"]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (raw(lambda b: b[:5]), "truncated"),
        (raw(lambda b: b[:200]), "truncated"),
        (raw(lambda b: b[:-1]), "model.safetensors"),
        (raw(lambda b: b[:8] + b"{" + b"\xff" * 40 + b[49:]), "model.safetensors: the header"),
        (raw(lambda b: (1 << 62).to_bytes(8, "little") + b[8:]), "declares a header of 46116"),
        (header(past_the_end), "model.safetensors"),
        (header(overlapping), "model.safetensors"),
        (raw(lambda _: b"\x80\x04\x95 a pickle " * 9), "never read"),
        (raw(lambda _: b"version https://git-lfs.github.com/spec/v1\n" * 3), "git lfs pull"),
    ],
)
def test_damaged_files(tmp_path: Path, damage: Damage, expected: str) -> None:
    folder = copy_fixture("gpt_oss_dense", tmp_path / "weights")
    damage(folder)
    message = export_refused("gpt_oss", folder, tmp_path)
    assert expected in message
    assert str(folder / "model.safetensors") in message


@pytest.mark.parametrize("name", ["../model-00001-of-00002.safetensors", "/etc/passwd", "a\\b"])
def test_shards_outside_the_folder(tmp_path: Path, name: str) -> None:
    folder = copy_fixture("gpt_oss_mxfp4", tmp_path / "weights")
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    tensor = sorted(content["weight_map"])[0]
    content["weight_map"][tensor] = name
    index.write_text(json.dumps(content))
    message = export_refused("gpt_oss", folder, tmp_path)
    assert str(index) in message
    assert tensor in message
    assert "plain file name" in message


def test_pickles_are_never_read(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "pytest_model.bin").write_bytes(b"\x80\x04.")
    (folder / "config.json").write_text("{}")
    assert "never read" in export_refused("gpt_oss", folder, tmp_path)


def test_a_digest_that_does_not_match(tmp_path: Path) -> None:
    folder = copy_fixture("minilm_tiny", tmp_path / "weights")
    pins = tmp_path / "pins.json"
    assert CliRunner().invoke(cli, ["pin", str(folder), "-o", str(pins)]).exit_code == 0
    raw(lambda b: b[:-1] + bytes([b[-1] ^ 1]))(folder)
    message = export_refused("minilm", folder, tmp_path, "--pins", str(pins))
    assert f"{folder / 'model.safetensors'} has sha256" in message
    assert "is pinned" in message


@pytest.mark.parametrize(
    ("family", "fixture", "changes", "expected"),
    [
        ("gpt_oss", "gpt_oss_dense", {"model_type": "llama"}, ["model_type", "'llama'"]),
        ("minilm", "minilm_tiny", {"model_type": "t5"}, ["model_type", "'t5'"]),
        ("dinov3", "dinov3_vit", {"model_type": "vit"}, ["model_type", "'vit'"]),
        ("gpt_oss", "gpt_oss_dense", {"num_hidden_layers": None}, ["no 'num_hidden_layers'"]),
        ("dinov3", "dinov3_vit", {"hidden_size": None}, ["no 'hidden_size'"]),
        ("dinov3", "dinov3_vit", {"hidden_act": "swish2"}, ["hidden_act", "'swish2'"]),
        ("minilm", "minilm_tiny", {"unheard_of": 1}, ["unheard_of"]),
    ],
)
def test_configs_with_unknown_or_missing_fields(
    tmp_path: Path, family: str, fixture: str, changes: dict[str, Any], expected: list[str]
) -> None:
    folder = copy_fixture(fixture, tmp_path / "weights")
    change_config(folder, changes)
    message = export_refused(family, folder, tmp_path)
    for text in (str(folder / "config.json"), *expected):
        assert text in message


def test_a_config_that_is_not_json(tmp_path: Path) -> None:
    folder = copy_fixture("minilm_tiny", tmp_path / "weights")
    (folder / "config.json").write_text('{"model_type": ')
    assert str(folder / "config.json") in export_refused("minilm", folder, tmp_path)


@pytest.fixture
def scale(tmp_path: Path) -> Path:
    """Return the folder of a checkpoint for ``tests.user_models``."""
    folder = tmp_path / "weights"
    folder.mkdir()
    save_file({"weight": np.ones(3, np.float32)}, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    ("exporter", "expected"),
    [
        ("unsupported", ["mystery", "user_models.py", "no ONNX lowering"]),
        ("asks_the_batch", ["symbolic dimension", "B", "user_models.py"]),
        ("fixes_the_batch", ["symbolic dimension", "user_models.py"]),
        ("nothing", ["returned NoneType", "Exportable"]),
        ("goood", ["has no function 'goood' (did you mean 'good'?)"]),
    ],
)
def test_models_that_cannot_be_converted(
    tmp_path: Path, scale: Path, exporter: str, expected: list[str]
) -> None:
    message = export_refused(f"tests.user_models:{exporter}", scale, tmp_path)
    for text in expected:
        assert text in message


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["gpt_os"], "did you mean 'gpt_oss'?"),
        (["tests.gone:export"], "no module tests.gone"),
        (["gpt_oss", "-O", "bacth=3"], "no option 'bacth' (did you mean 'batch'?)"),
        (["gpt_oss", "-O", "batch"], "NAME=VALUE"),
        (["gpt_oss", "-O", "cache=False"], "cache is 'False': give true or false"),
        (["gpt_oss", "-O", "batch=1.5"], "batch is 1.5: give a whole number or a text"),
        (["gpt_oss", "-O", "logits=first"], "logits is 'first': give 'all' or 'last'"),
        (["gpt_oss", "--opset", "7"], "opset"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: list[str], expected: str) -> None:
    folder = copy_fixture("gpt_oss_dense", tmp_path / "weights")
    family, *more = arguments
    assert expected in export_refused(family, folder, tmp_path, *more)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("/nowhere", "/nowhere is not a folder"),
        ("hf://only-one-part", "hf://org/repo@revision"),
        (f"https://user:{TOKEN}@host/x", "https://host/x is not a folder"),
    ],
)
def test_weights_that_do_not_exist(tmp_path: Path, weights: str, expected: str) -> None:
    assert expected in export_refused("gpt_oss", weights, tmp_path)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the URL of a hub that answers 404 below /gone, and 500 otherwise."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404 if "gone" in self.path else 500)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("WEIGHTS_LOOPBACK_HTTP", "1")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr("time.sleep", lambda _: None)
    yield url
    server.shutdown()
    server.server_close()


def pins_from(origin: str, file: Path) -> Path:
    pin = {"name": "model.safetensors", "sha256": "0" * 64, "size": 12}
    file.write_text(json.dumps({"origin": origin, "files": [pin]}))
    return file


def test_http_errors_are_reported(tmp_path: Path, hub: str) -> None:
    store = ["--store", str(tmp_path / "store")]
    assert "404" in export_refused("gpt_oss", "hf://gone/model@main", tmp_path, *store)
    pins = pins_from(f"{hub}/gone", tmp_path / "p.json")
    assert "404" in export_refused("gpt_oss", pins, tmp_path, *store)
    pins = pins_from(f"{hub}/broken", tmp_path / "q.json")
    assert "500" in export_refused("gpt_oss", pins, tmp_path, *store)


def test_plain_http_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    pins = pins_from("http://example.org/model", tmp_path / "p.json")
    message = export_refused("gpt_oss", pins, tmp_path, "--store", str(tmp_path / "store"))
    assert "http://example.org/model" in message
    assert "https" in message


@pytest.mark.parametrize(
    ("code", "expected"),
    [(errno.ENOSPC, "No space left on device. Free some space"), (errno.EROFS, "read-only")],
)
def test_a_disk_that_fails_in_the_middle_of_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, expected: str
) -> None:
    folder = copy_fixture("minilm_tiny", tmp_path / "weights")

    def refuse(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("os.fsync", refuse)
    message = export_refused("minilm", folder, tmp_path)
    assert str(tmp_path / "out" / "m.onnx") in message
    assert expected in message


def test_a_folder_that_is_not_writable(tmp_path: Path) -> None:
    folder = copy_fixture("minilm_tiny", tmp_path / "weights")
    output = folder / "config.json" / "m.onnx"
    message = refused("export", "minilm", folder, "-o", output)
    assert str(output) in message
    assert "Check the path" in message


def test_an_artifact_with_other_weights(tmp_path: Path) -> None:
    folder = copy_fixture("minilm_tiny", tmp_path / "weights")
    artifact = tmp_path / "m.onnx"
    done = CliRunner().invoke(cli, ["export", "minilm", str(folder), "-o", str(artifact)])
    assert done.exit_code == 0
    change_tensors(folder, {"embeddings.LayerNorm.bias": np.ones(36, np.float32)})
    for command, *more in ("verify",), ("materialize", str(tmp_path / "w")):
        message = refused(command, artifact, folder, *more)
        assert f"{artifact} was made from other weights" in message
        assert "model.safetensors" in message
    assert not (tmp_path / "w").exists()


def test_files_that_are_not_artifacts(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(b"\xff" * 100)
    assert f"{file} is not an ONNX model" in refused("inspect", file)
    assert "does not exist" in refused("inspect", tmp_path / "gone.onnx")
    for suffix in (".json", ".textproto"):
        other = file.with_suffix(suffix)
        other.write_text("{}")
        assert f"{other} is not an ONNX model" in refused("inspect", other)
    assert f"{file} is not an ONNX model" in refused("verify", file, tmp_path)
    assert f"{file} is not an ONNX model" in refused("materialize", file, tmp_path, tmp_path / "w")


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("made") / "m.onnx"
    folder = str(FIXTURES / "minilm_tiny")
    assert CliRunner().invoke(cli, ["export", "minilm", folder, "-o", str(file)]).exit_code == 0
    return file


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"exporter": "tests.user_models:good"}, "not a model family that is installed here"),
        ({"exporter": "os:system"}, "give --exporter, and its options, yourself"),
        ({"exporter": 3}, "is not the manifest of an artifact"),
        ({"options": ["batch"]}, "is not the manifest of an artifact"),
        ({"artifact": "m.onnx"}, "is not the manifest of an artifact"),
        ({"artifact": {}}, "belongs to another artifact"),
        ({"inputs": []}, "inputs differ"),
        ({"outputs": {"a": 1}, "operators": None}, "outputs, operators differ"),
        ({"opset": {"": 22}}, "opset differ"),
        ({"parameters": 1}, "parameters differ"),
        ({"metadata": {}}, "metadata differ"),
        ({"weights": []}, "weights differ"),
        ({"weights": [{"licence": "MIT", "source": "not stated", "files": []}]}, "weights differ"),
        ({"weights": [{"licence": "MIT", "source": "not stated", "files": [3]}]}, "weights differ"),
    ],
)
def test_an_untrusted_manifest(
    tmp_path: Path, artifact: Path, changes: dict[str, object], expected: str
) -> None:
    file = Path(shutil.copy(artifact, tmp_path))
    made = json.loads(artifact.with_suffix(".manifest.json").read_text())
    file.with_suffix(".manifest.json").write_text(json.dumps({**made, **changes}))
    weights = FIXTURES / "minilm_tiny"
    assert expected in refused("verify", file, weights)
    if "exporter" not in changes or changes["exporter"] == 3:
        for command in (
            ("verify", file, weights, "--exporter", "minilm"),
            ("materialize", file, weights, tmp_path / "whole"),
        ):
            assert expected in refused(*command)
    assert not (tmp_path / "whole").exists()


def test_an_artifact_without_its_manifest(tmp_path: Path, artifact: Path) -> None:
    file = Path(shutil.copy(artifact, tmp_path))
    assert "give --exporter" in refused("verify", file, FIXTURES / "minilm_tiny")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_file_that_is_replaced_between_hashing_and_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = copy_fixture("minilm_tiny", tmp_path / "weights")
    opened = Checkpoint.open

    def replace(where: Path) -> Checkpoint:
        opens.append(where)
        if len(opens) == 2:  # the first time is before the files are hashed
            content = (folder / name).read_bytes()
            changed = content + b"\n" if name == "config.json" else content[:-1] + b"\1"
            (folder / name).write_bytes(changed)
        return opened(where)

    opens: list[Path] = []
    monkeypatch.setattr(Checkpoint, "open", replace)
    message = export_refused("minilm", folder, tmp_path)
    assert f"{folder / name} has" in message
    assert "pinned" in message
