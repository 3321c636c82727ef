"""The exported artifact with trained weights recognises sentences of equal meaning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exporters.families.minilm.embed import Encoder

REPOSITORY = Path(__file__).parents[3]
REFERENCE = REPOSITORY / "weights" / "fixtures" / "minilm" / "reference.npz"


@pytest.fixture(scope="module")
def artifact() -> Path:
    """Return the artifact of ``./pants package exporters:minilm``, in a sandbox or in dist/."""
    for folder in (REPOSITORY, REPOSITORY / "dist"):
        file = folder / "exporters" / "minilm" / "minilm.onnx"
        if file.is_file():
            return file
    pytest.skip("there is no artifact: run `./pants package exporters:minilm` first")


def test_sentences_of_equal_meaning_are_closest_to_each_other(artifact: Path) -> None:
    """The stored texts are pairs of sentences with equal meaning."""
    with np.load(REFERENCE) as stored:
        texts = stored["sentences/texts"].tolist()
    vectors = Encoder(artifact)(texts)
    each = np.arange(len(texts))
    partner = each ^ 1
    similarity = vectors @ vectors.T - 2 * np.eye(len(texts))
    assert (similarity.argmax(axis=1) == partner).all()
    related = similarity[each, partner]
    similarity[each, partner] = -2
    assert related.min() > similarity.max() + 0.1
