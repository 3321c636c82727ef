from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporters.errors import ExportError
from exporters.families.minilm.parity import against_jax, against_torch
from weights import Checkpoint

FIXTURES = Path(__file__).parents[3] / "weights" / "fixtures"
TINY = FIXTURES / "minilm_tiny"


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        ({}, [(1, 5), (3, 16)]),
        ({"batch": 2}, [(2, 5), (2, 16)]),
        ({"batch": 2, "sequence": 8}, [(2, 8)]),
    ],
)
def test_jax_runs_on_the_sizes_of_the_export(
    options: dict[str, Any], shapes: list[tuple[int, int]]
) -> None:
    cases = list(against_jax(Checkpoint.open(TINY), **options))
    assert [case.inputs["input_ids"].shape for case in cases] == shapes
    for case in cases:
        lengths = np.linalg.norm(case.outputs["sentence_embedding"], axis=1)
        np.testing.assert_allclose(lengths, 1, atol=1e-6)


def test_texts_need_a_tokenizer() -> None:
    cases = against_torch(Checkpoint.open(TINY), FIXTURES / "minilm" / "reference.npz")
    with pytest.raises(ExportError, match=r"tokenizer\.json cannot be read"):
        list(cases)
