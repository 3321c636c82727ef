from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from exporters.artifact.bind import load
from exporters.artifact.convert import Request, export
from exporters.artifact.manifest import Weights
from exporters.errors import ExportError
from exporters.families.minilm.embed import Encoder, main
from exporters.families.minilm.export import export as export_model
from exporters.families.minilm.tokens import Tokens
from weights import Checkpoint

TINY = Path(__file__).parents[3] / "weights" / "fixtures" / "minilm_tiny"


@pytest.fixture
def artifact(tokenizer: Path) -> Path:
    """Return an artifact of the tiny checkpoint, with its weights and a tokenizer beside it."""
    folder = tokenizer.parent
    for name in ("config.json", "model.safetensors"):
        shutil.copy(TINY / name, folder)
    model = folder / "minilm.onnx"
    request = Request(
        target="exporters:minilm",
        exporter="exporters.families.minilm.export:export",
        options={},
        opset=23,
        checkpoint=Checkpoint.open(folder),
        weights=Weights("weights:minilm_tiny", "Apache-2.0", "random", [], None),
    )
    export(request, model)
    return model


def test_text_becomes_vectors(artifact: Path) -> None:
    texts = ["a man eats", "eats", "a", "what is that"] * 20  # more than one batch
    vectors = Encoder(artifact)(texts)
    assert vectors.shape == (80, 36)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(vectors[:4], vectors[-4:], atol=1e-6)
    assert (vectors[1:4] @ vectors[0] < 0.999).all()


def test_the_vectors_agree_with_the_model(artifact: Path) -> None:
    texts = ["a man eats", "man", ""]
    checkpoint = Checkpoint.open(artifact.parent)
    exported = export_model(checkpoint)
    model = load(exported.model, exported.parameters, checkpoint)
    _, expected = model(*Tokens(artifact.parent / "tokenizer.json")(texts).values())
    np.testing.assert_allclose(Encoder(artifact)(texts), expected, atol=1e-6)


def test_more_tokens_than_positions_are_an_error(artifact: Path) -> None:
    """The tiny model has 24 positions, and a tokenizer adds two tokens to a text."""
    assert Encoder(artifact)(["man " * 22]).shape == (1, 36)
    with pytest.raises(ExportError, match="a text has 25 tokens, and the model has 24 positions"):
        Encoder(artifact)(["man " * 23])
    (artifact.parent / "tokenizer_config.json").write_text('{"model_max_length": 24}')
    with pytest.raises(ExportError, match=r"cannot have up to 256 tokens: .*model_max_length"):
        Encoder(artifact)
    assert Encoder(artifact, limit=24)(["man " * 23]).shape == (1, 36)


def test_a_folder_in_the_layout_of_a_hub(artifact: Path) -> None:
    texts = ["a man eats", "a"]
    expected = Encoder(artifact)(texts)
    inner = artifact.parent / "onnx"
    inner.mkdir()
    for file in (artifact, artifact.parent / "model.safetensors"):
        file.rename(inner / file.name)
    np.testing.assert_array_equal(Encoder(inner / artifact.name)(texts), expected)


def test_prints_the_similarity_of_texts(artifact: Path) -> None:
    result = CliRunner().invoke(main, [str(artifact), "a man", "eats", "a man"])
    assert result.exit_code == 0
    lines = [line.split(maxsplit=row) for row, line in enumerate(result.output.splitlines(), 1)]
    assert [line[-1] for line in lines] == ["a man", "eats", "a man"]
    assert [line[row] for row, line in enumerate(lines)] == ["1.00", "1.00", "1.00"]
    assert lines[2][0] == "1.00"


def test_prints_vectors(artifact: Path) -> None:
    result = CliRunner().invoke(main, [str(artifact), "--vectors", "a man", "Bröd"])
    lines = [json.loads(line) for line in result.output.splitlines()]
    assert [line["text"] for line in lines] == ["a man", "Bröd"]
    expected = Encoder(artifact)(["a man", "Bröd"])
    np.testing.assert_allclose([line["vector"] for line in lines], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("minilm.onnx", "minilm.onnx does not exist: give the .onnx that the export wrote"),
        ("tokenizer.json", "tokenizer.json cannot be read as a tokenizer"),
        ("model.safetensors", "ONNX Runtime cannot load the model"),
    ],
)
def test_says_what_is_missing(artifact: Path, missing: str, message: str) -> None:
    (artifact.parent / missing).unlink()
    with pytest.raises(ExportError, match=message):
        Encoder(artifact)
    result = CliRunner().invoke(main, [str(artifact), "a man"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert message in result.output
