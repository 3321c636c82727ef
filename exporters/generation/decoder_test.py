"""A decoder continues sequences as torch computes them whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from exporters.artifact.convert import Request, export
from exporters.artifact.manifest import Weights
from exporters.errors import ExportError
from exporters.generation.decoder import Decoder
from exporters.generation.generate import generate
from exporters.generation.sampling import Sampler, Sampling
from exporters.parity.compare import open_session
from weights import Checkpoint

FIXTURES = Path(__file__).parents[2] / "weights" / "fixtures"
CHECKPOINT = FIXTURES / "gpt_oss_mxfp4"


def write(file: Path, **options: Any) -> Path:
    """Write the artifact of the fixture."""
    checkpoint = Checkpoint.open(CHECKPOINT)
    exporter = "exporters.families.gpt_oss.export:export"
    weights = Weights("weights:w", "Apache-2.0", "made up", [])
    export(Request("gpt_oss", exporter, options, 23, checkpoint, weights), file)
    return file


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> ort.InferenceSession:
    file = tmp_path_factory.mktemp("model") / "model.onnx"
    return open_session(write(file, cache=True), "cpu", CHECKPOINT)


@pytest.fixture(scope="module")
def torch() -> tuple[list[int], np.ndarray]:
    """Return token ids and the logits that torch computed for them."""
    with np.load(FIXTURES / "gpt_oss_reference.npz") as stored:
        return stored["long/input_ids"][0].tolist(), stored["long/logits"][0]


@pytest.mark.parametrize("chunk", [1, 3, 5, 512])
def test_a_prompt_may_be_read_in_pieces(
    session: ort.InferenceSession, torch: tuple[list[int], np.ndarray], chunk: int
) -> None:
    ids, expected = torch
    decoder = Decoder(session, chunk=chunk)
    np.testing.assert_allclose(decoder(ids[:8]), expected[7], rtol=0, atol=1e-5)
    for position in range(8, len(ids)):
        logits = decoder([ids[position]])
        np.testing.assert_allclose(logits, expected[position], rtol=0, atol=1e-5)
    assert decoder.length == len(ids)


@pytest.mark.parametrize(
    "options", [{"position_ids": True, "logits": "last"}, {"dtype": "bfloat16"}, {"batch": 1}]
)
def test_every_kind_of_artifact_decodes(
    options: dict[str, Any], tmp_path: Path, torch: tuple[list[int], np.ndarray]
) -> None:
    ids, expected = torch
    file = write(tmp_path / "model.onnx", cache=True, **options)
    decoder = Decoder(open_session(file, "cpu", CHECKPOINT))
    decoder(ids[:6])
    tolerance = 0.3 if "dtype" in options else 1e-5
    np.testing.assert_allclose(decoder(ids[6:]), expected[-1], rtol=0, atol=tolerance)


def test_greedy_tokens_are_those_of_whole_sequences(
    session: ort.InferenceSession, torch: tuple[list[int], np.ndarray], tmp_path: Path
) -> None:
    """30 tokens are several windows of the sliding layers (5)."""
    prompt = torch[0][:4]
    whole = open_session(write(tmp_path / "whole.onnx"), "cpu", CHECKPOINT)
    found = list(generate(Decoder(session), prompt, Sampler(Sampling()), limit=30))
    assert len(found) == 30
    for number, token in enumerate(found):
        ids = np.array([[*prompt, *found[:number]]], np.int64)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        (logits,) = whole.run(["logits"], feeds)
        assert token == logits[0, -1].argmax()


def test_an_end_token_ends_the_text(session: ort.InferenceSession) -> None:
    tokens = list(generate(Decoder(session), [1, 2], Sampler(Sampling()), limit=5))
    ended = generate(Decoder(session), [1, 2], Sampler(Sampling()), limit=5, end={tokens[2]})
    assert list(ended) == tokens[: tokens.index(tokens[2])]


def test_an_empty_prompt_is_refused(session: ort.InferenceSession) -> None:
    with pytest.raises(ExportError, match="the prompt has no tokens"):
        list(generate(Decoder(session), [], Sampler(Sampling()), limit=5))


@pytest.mark.parametrize(
    ("options", "problem"),
    [({}, "export it with a cache"), ({"cache": True, "batch": 2}, "has a batch of 2")],
)
def test_other_models_are_refused(options: dict[str, Any], problem: str, tmp_path: Path) -> None:
    file = write(tmp_path / "model.onnx", **options)
    with pytest.raises(ExportError, match=problem):
        Decoder(open_session(file, "cpu", CHECKPOINT))


def test_a_token_of_another_tokenizer_is_refused(session: ort.InferenceSession) -> None:
    Decoder(session)([100])
    with pytest.raises(ExportError, match="token 101 is not among the 101 tokens of the model"):
        Decoder(session)([3, 101, 7])
