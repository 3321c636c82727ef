from __future__ import annotations

from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from exporters.artifact.bind import check, load
from exporters.errors import ExportError
from exporters.families.minilm.export import export
from exporters.families.minilm.parity import against_torch
from weights import Checkpoint

FIXTURES = Path(__file__).parents[3] / "weights" / "fixtures"
TINY = FIXTURES / "minilm_tiny"


def loaded() -> Any:
    checkpoint = Checkpoint.open(TINY)
    exported = export(checkpoint)
    check(exported.model, exported.parameters, checkpoint, ignored=exported.ignored)
    return eqx.filter_jit(load(exported.model, exported.parameters, checkpoint))


def test_agrees_with_transformers() -> None:
    model = loaded()
    cases = list(against_torch(Checkpoint.open(TINY), TINY / "reference.npz"))
    assert [case.name for case in cases] == ["padded", "whole"]
    for case in cases:
        tokens, vectors = model(*case.inputs.values())
        np.testing.assert_allclose(vectors, case.outputs["sentence_embedding"], atol=1e-6)
        if "last_hidden_state" in case.outputs:
            np.testing.assert_allclose(tokens, case.outputs["last_hidden_state"], atol=1e-5)


def test_padding_does_not_matter() -> None:
    model = loaded()
    ids = jnp.array([[5, 6, 7]])
    _, bare = model(ids, jnp.ones_like(ids), jnp.zeros_like(ids))
    longer = jnp.array([[5, 6, 7, 88, 12]])
    _, padded = model(longer, jnp.array([[1, 1, 1, 0, 0]]), jnp.zeros_like(longer))
    np.testing.assert_allclose(padded, bare, atol=1e-6)


def test_a_sentence_of_padding_gives_the_zero_vector() -> None:
    ids = jnp.zeros((1, 4), jnp.int32)
    _, vector = loaded()(ids, jnp.zeros_like(ids), jnp.zeros_like(ids))
    np.testing.assert_array_equal(vector, np.zeros((1, 36)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sequence": 25}, "sequence is 25, and the model has 24 positions"),
        ({"sequence": 0}, "sequence is 0: give a positive number"),
        ({"batch": "2*B"}, r"batch is '2\*B': give a positive number"),
    ],
)
def test_refuses_an_invalid_size(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        export(Checkpoint.open(TINY), **options)
