"""The commands succeed on good input; ``tests/bad_input_test.py`` has the failures."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from click.testing import CliRunner
from tokenizers import Tokenizer
from tokenizers.decoders import Fuse
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split, WhitespaceSplit

import exporters
from exporters.artifact.summary import ORT_FOLDER_OPTION
from exporters.cli.main import cli
from weights.files.pins import Pins
from weights.store import Store

FIXTURES = Path(__file__).parents[2] / "weights" / "fixtures"
TINY = FIXTURES / "minilm_tiny"


def command(*arguments: str | Path) -> str:
    """Return the output of a command that must succeed."""
    result = CliRunner().invoke(cli, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("artifact") / "minilm.onnx"
    command("export", "minilm", TINY, "-o", file, "-O", "batch=2", "--licence", "Apache-2.0")
    return file


def test_help_lists_the_families() -> None:
    assert "Model families:\n  dinov3, gpt_oss, minilm\n" in command("--help")


def test_the_version_is_that_of_the_distribution() -> None:
    assert command("--version") == f"onnx-exporters {exporters.__version__}\n"


def test_a_distribution_adds_a_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "export.py").write_text(
        "from exporters.families.minilm.export import export as minilm\n"
        "def export(checkpoint):\n"
        "    return minilm(checkpoint, batch=3)\n"
    )
    info = tmp_path / "own-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[onnx_exporters.families]\nmine = own\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "mine" in command("--help")
    file = tmp_path / "mine.onnx"
    command("export", "mine", TINY, "-o", file)
    (first, *_) = onnx.load(file, load_external_data=False).graph.input
    assert first.type.tensor_type.shape.dim[0].dim_value == 3


def test_export_by_reference(artifact: Path) -> None:
    assert sorted(each.name for each in artifact.parent.iterdir()) == [
        "minilm.manifest.json",
        "minilm.onnx",
    ]
    options = ort.SessionOptions()
    options.add_session_config_entry(ORT_FOLDER_OPTION, str(TINY))
    session = ort.InferenceSession(artifact, options)
    assert session.get_inputs()[0].shape == [2, "sequence_length"]
    manifest = json.loads(artifact.with_suffix(".manifest.json").read_text())
    assert manifest["options"] == {"batch": 2}
    assert manifest["weights"][0]["licence"] == "Apache-2.0"
    assert manifest["weights"][0]["source"] == "not stated"


def test_the_summary_runs_as_it_is_printed(tmp_path: Path) -> None:
    printed = command("export", "minilm", TINY, "-o", tmp_path / "m.onnx")
    code = [line.strip() for line in printed.splitlines()]
    snippet = "\n".join(code[code.index("import onnxruntime as ort") :])
    names: dict[str, object] = {}
    exec(snippet, names)  # noqa: S102  # A user pastes this code.
    assert isinstance(names["session"], ort.InferenceSession)


def test_export_beside_the_weights(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(TINY, folder)
    first = command("export", "minilm", folder, "-o", folder / "m.onnx")
    assert "model.safetensors beside it" in first
    assert "in place" not in first
    assert ort.InferenceSession(folder / "m.onnx")
    # The artifact and its manifest do not count as weights.
    assert command("export", "minilm", folder, "-o", folder / "m.onnx") == first


def test_verify_uses_the_options_of_the_manifest(artifact: Path) -> None:
    assert "2 x 5 tokens: ok" in command("verify", artifact, TINY)


def test_verify_against_stored_outputs(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    command("export", "minilm", TINY, "-o", file)
    file.with_suffix(".manifest.json").unlink()
    data = TINY / "reference.npz"
    text = command(
        "verify", file, TINY, "--exporter", "minilm", "--reference", "against_torch", "--data", data
    )
    assert "whole: ok" in text


def test_inspect_an_artifact(artifact: Path) -> None:
    text = command("inspect", artifact)
    assert "input_ids  int64 [2, sequence_length]" in text
    assert "model.safetensors expected beside it" in text
    assert "Apache-2.0" in text
    document = json.loads(command("inspect", artifact, "--json"))
    manifest = json.loads(artifact.with_suffix(".manifest.json").read_text())
    for key in ("artifact", "inputs", "outputs", "operators", "parameters", "opset"):
        assert document[key] == manifest[key]


def test_inspect_a_checkpoint() -> None:
    text = command("inspect", FIXTURES / "gpt_oss_mxfp4")
    assert "model    gpt_oss" in text
    assert "41 (U8 97.9 kB, BF16 66.3 kB)" in text
    document = json.loads(command("inspect", FIXTURES / "gpt_oss_mxfp4", "--json"))
    assert document["shapes"]["model.norm.weight"] == {"dtype": "BF16", "shape": [64]}


def test_pins_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "pins.json"
    assert "2 files, 102 kB" in command("pin", TINY, "-o", file)
    assert command("pin", TINY) == file.read_text()
    pins = Pins.read(file)
    assert [pin.name for pin in pins.files] == ["config.json", "model.safetensors"]
    command("export", "minilm", TINY, "--pins", file, "-o", tmp_path / "m.onnx")


def test_weights_by_their_digest_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    file = tmp_path / "pins.json"
    command("pin", TINY, "-o", file)
    pins = Pins.read(file)
    for pin in pins.files:
        store.add(TINY / pin.name, pin)
    output = tmp_path / "m.onnx"
    text = command("export", "minilm", file, "--store", store.root, "-o", output)
    assert f"in {store.root}/views/{pins.digest}/" in text


@pytest.mark.parametrize("copy", [[], ["--copy"]])
def test_materialize(artifact: Path, tmp_path: Path, copy: list[str]) -> None:
    whole = tmp_path / "whole"
    assert str(whole / "minilm.onnx") in command("materialize", artifact, TINY, whole, *copy)
    assert sorted(each.name for each in whole.iterdir()) == [
        "config.json",
        "minilm.manifest.json",
        "minilm.onnx",
        "model.safetensors",
    ]
    assert ort.InferenceSession(whole / "minilm.onnx")
    linked = (whole / "model.safetensors").stat().st_nlink > 1
    assert linked == (not copy)
    if copy:
        onnx.checker.check_model(str(whole / "minilm.onnx"), full_check=True)


@pytest.fixture(scope="module")
def with_side_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny checkpoint with the side files of a sentence encoder."""
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    shutil.copytree(TINY, folder)
    (folder / "1_Pooling").mkdir()
    for name in SIDE_FILES:
        (folder / name).write_text("{}")
    tokenizer = Tokenizer(WordLevel({"[PAD]": 0, "[UNK]": 1, "a": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


SIDE_FILES = [
    "1_Pooling/config.json",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
]


@pytest.mark.parametrize(
    ("layout", "artifact", "weights"),
    [
        ("hub", "onnx/model.onnx", ["onnx/model.safetensors"]),
        ("hub-onnx-data", "onnx/model.onnx", ["onnx/model.onnx_data"]),
        ("hub-single-file", "onnx/model.onnx", []),
        ("single-file", "minilm.onnx", []),
    ],
)
def test_layouts(
    with_side_files: Path, tmp_path: Path, layout: str, artifact: str, weights: list[str]
) -> None:
    folder = tmp_path / "out"
    text = command("export", "minilm", with_side_files, "--layout", layout, "-o", folder)
    assert text.startswith(f"{folder / artifact}\n")
    manifest = Path(artifact).with_suffix(".manifest.json").as_posix()
    expected = sorted([artifact, manifest, "config.json", *SIDE_FILES, *weights])
    assert _files(folder) == expected
    ids = {name: np.ones((1, 3), np.int64) for name in ENCODER_INPUTS}
    found = ort.InferenceSession(folder / artifact).run(None, ids)
    flat = tmp_path / "flat.onnx"
    command("export", "minilm", with_side_files, "-o", flat)
    options = ort.SessionOptions()
    options.add_session_config_entry(ORT_FOLDER_OPTION, str(with_side_files))
    for one, other in zip(found, ort.InferenceSession(flat, options).run(None, ids), strict=True):
        np.testing.assert_array_equal(one, other)
    # Other commands know the layout from the manifest.
    assert "tokens: ok" in command("verify", folder / artifact, with_side_files)
    again = tmp_path / "again"
    command("materialize", folder / artifact, with_side_files, again)
    assert _files(again) == expected


ENCODER_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def _files(folder: Path) -> list[str]:
    found = (each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file())
    return sorted(found)


def test_a_layout_without_its_side_files_is_refused(tmp_path: Path) -> None:
    arguments = ["export", "minilm", str(TINY), "--layout", "hub", "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1
    assert "'hub' need tokenizer.json, tokenizer_config.json, which minilm does not" in (
        result.output
    )
    assert "not stated" in result.output
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an artifact that has a cache, its weights and a tokenizer."""
    folder = tmp_path_factory.mktemp("decoder") / "gpt_oss"
    shutil.copytree(FIXTURES / "gpt_oss_mxfp4", folder)
    command("export", "gpt_oss", folder, "-o", folder / "model.onnx", "-O", "cache=true")
    characters = [*map(chr, range(32, 127)), *"äéëöüß"]  # 101, as the model has
    vocabulary = {character: number for number, character in enumerate(characters)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="#"))
    tokenizer.pre_tokenizer = Split("", "isolated")
    tokenizer.decoder = Fuse()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_generate_prints_text_and_speed(decoder: Path) -> None:
    arguments = ("generate", decoder, "Hello", "--max-tokens", "20")
    result = CliRunner().invoke(cli, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    assert len(result.stdout) == 21
    assert re.fullmatch(r"5 tokens read in [\d.]+ s, 20 written, [\d.]+ tokens/s\n", result.stderr)
    # The chat template, pieces of the prompt and the seed take effect; the pieces change no text.
    text = result.stdout
    assert command(*arguments, "--chunk", "2").startswith(text)
    draws = [command(*arguments, "--temperature", "1.5", "--seed", seed)[:20] for seed in "112"]
    assert draws[0] == draws[1] != draws[2]
    (decoder / "chat_template.jinja").write_text(
        "{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    assert command(*arguments).startswith(text)
    assert command(*arguments, "--plain").startswith(text)
    assert not command(*arguments, "--system", "Be brief.").startswith(text)


def test_help_for_every_command() -> None:
    for name in cli.commands:
        assert "Usage:" in command(name, "--help")
