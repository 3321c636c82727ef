from __future__ import annotations

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exporters.artifact.bind import check, load
from exporters.families.dinov3.export import export
from weights import Checkpoint

FIXTURES = Path(__file__).parents[3] / "weights" / "fixtures"
KINDS = ["vit", "vit_gated", "vit_nobias", "vit_bf16", "convnext"]


def loaded(kind: str) -> tuple[Any, Checkpoint]:
    checkpoint = Checkpoint.open(FIXTURES / f"dinov3_{kind}")
    exported = export(checkpoint)
    check(exported.model, exported.parameters, checkpoint, ignored=exported.ignored)
    return load(exported.model, exported.parameters, checkpoint), checkpoint


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", ["square", "wide"])
def test_agrees_with_transformers(kind: str, case: str) -> None:
    model, checkpoint = loaded(kind)
    reference = np.load(checkpoint.folder / "reference.npz")
    last, pooled = eqx.filter_jit(model)(reference[f"{case}/pixel_values"])
    np.testing.assert_allclose(last, reference[f"{case}/last_hidden_state"], atol=1e-5)
    np.testing.assert_allclose(pooled, reference[f"{case}/pooler_output"], atol=1e-5)


def test_each_layer_agrees_with_transformers() -> None:
    model, checkpoint = loaded("vit")
    reference = np.load(checkpoint.folder / "reference.npz")
    pixels = reference["wide/pixel_values"]
    turns = model.rotation(*pixels.shape[2:])
    hidden = model.embeddings(jnp.asarray(pixels))
    for n, layer in enumerate(model.layer):
        expected = reference[f"wide/hidden_states.{n}"]
        np.testing.assert_allclose(hidden, expected, atol=1e-5)
        tokens = eqx.filter_jit(layer)(hidden.reshape(-1, hidden.shape[-1]), turns)
        hidden = tokens.reshape(hidden.shape)


def test_stores_bfloat16_and_computes_in_float32() -> None:
    model, _ = loaded("vit_bf16")
    assert {leaf.dtype.name for leaf in jax.tree.leaves(model)} == {"bfloat16"}
    outputs = eqx.filter_eval_shape(model, jnp.zeros((1, 3, 20, 20)))
    assert {output.dtype.name for output in outputs} == {"float32"}
