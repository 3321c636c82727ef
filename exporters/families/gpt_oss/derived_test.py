"""Derived weights hold the values of the published ones, and kernels compute from them in f32."""

import filecmp
import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from exporters.artifact.convert import Request, export
from exporters.artifact.manifest import Weights
from exporters.errors import ExportError
from exporters.families.gpt_oss import derived, parity
from exporters.families.gpt_oss import export as exporter
from exporters.parity.compare import open_session
from exporters.parity.definition import ParityTest
from exporters.parity.verify import verify
from weights import Checkpoint
from weights.derived import write_derived
from weights.errors import WeightsError
from weights.files.pins import Pin, Pins

FIXTURES = Path(__file__).parents[3] / "weights" / "fixtures"
SOURCES = Pins((Pin("model.safetensors", "0" * 64, 1),))
EXPORTER = "exporters.families.gpt_oss.export:export"


def derive(layout: str, folder: Path) -> Checkpoint:
    """Write the derived checkpoint of a fixture, and return it."""
    source = Checkpoint.open(FIXTURES / f"gpt_oss_{layout}")
    write_derived(folder, source.json(), derived.int8(source), "derived:int8", SOURCES)
    return Checkpoint.open(folder)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return derive("mxfp4", tmp_path_factory.mktemp("derived") / "int8")


def exported(checkpoint: Checkpoint, folder: Path, **options: Any) -> Path:
    """Export a variant, and return the artifact."""
    weights = Weights("weights:int8", "Apache-2.0", "random numbers", [])
    request = Request("exporters:cpu", EXPORTER, options, 23, checkpoint, weights)
    export(request, folder / "model.onnx")
    return folder / "model.onnx"


def test_experts_are_exact(checkpoint: Checkpoint) -> None:
    published = Checkpoint.open(FIXTURES / "gpt_oss_mxfp4")
    prefix = "model.layers.1.mlp.experts.down_proj_"
    blocks = published.read(f"{prefix}blocks")
    nibbles = np.stack([blocks & 15, blocks >> 4], axis=-1).reshape(*blocks.shape[:3], 32)
    powers = published.read(f"{prefix}scales").view(ml_dtypes.float8_e8m0fnu).astype(np.float64)
    expected = nibbles.view(ml_dtypes.float4_e2m1fn).astype(np.float64) * powers[..., None]
    codes = checkpoint.read(f"{prefix}codes").astype(np.float64).reshape(expected.shape)
    values = (codes - 128) * checkpoint.read(f"{prefix}factors").astype(np.float64)[..., None]
    np.testing.assert_array_equal(values, expected)


def test_matrices_are_wide_and_all_else_is_copied(checkpoint: Checkpoint) -> None:
    published = Checkpoint.open(FIXTURES / "gpt_oss_mxfp4")
    for name in ("lm_head.weight", "model.layers.0.self_attn.q_proj.weight"):
        assert checkpoint.tensors[name].dtype == "F32"
        np.testing.assert_array_equal(checkpoint.read(name), published.read(name))
    for name in ("model.embed_tokens.weight", "model.norm.weight"):
        assert checkpoint.tensors[name].dtype == published.tensors[name].dtype
        np.testing.assert_array_equal(checkpoint.read(name), published.read(name))


def test_both_packed_layouts_give_the_same_bytes(checkpoint: Checkpoint, tmp_path: Path) -> None:
    other = derive("original", tmp_path / "other")
    assert filecmp.cmp(checkpoint.files[0], other.files[0], shallow=False)


def test_unpacked_experts_are_refused() -> None:
    with pytest.raises(ExportError, match="'dense', in which experts are not packed"):
        derived.int8(Checkpoint.open(FIXTURES / "gpt_oss_dense"))


def test_derived_weights_are_not_derived_again(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="derived already"):
        write_derived(tmp_path / "x", checkpoint.json(), {}, "derived:int8", SOURCES)


def test_the_manifest_names_function_and_sources(checkpoint: Checkpoint, tmp_path: Path) -> None:
    artifact = exported(checkpoint, tmp_path, variant="cpu")
    manifest = json.loads(artifact.with_suffix(".manifest.json").read_text())
    assert manifest["derived_from"] == {
        "function": "derived:int8",
        "files": [{"name": "model.safetensors", "sha256": "0" * 64, "size": 1}],
    }


@pytest.mark.parametrize("stack", ["equinox", "nnx"])
def test_the_exact_artifact_agrees_with_torch(
    checkpoint: Checkpoint, stack: str, tmp_path: Path
) -> None:
    options = {"variant": "cpu", "stack": stack, "cache": True}
    artifact = exported(checkpoint, tmp_path, **options)
    lines: list[str] = []
    test = ParityTest(
        target="exporters:cpu",
        model=artifact,
        exporter=EXPORTER,
        options=options,
        reference=f"{parity.__name__}:against_torch",
        data=FIXTURES / "gpt_oss_reference.npz",
        provider="cpu",
        atol=1e-5,
        rtol=0.0,
    )
    verify(test, checkpoint, lines.append)
    assert any("ok" in line for line in lines)


def test_the_fast_artifact_rounds_activations(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Its error is far from that of f32, and small beside the logits."""
    with np.load(FIXTURES / "gpt_oss_reference.npz", allow_pickle=False) as stored:
        ids, expected = stored["short/input_ids"], stored["short/logits"]
    artifact = exported(checkpoint, tmp_path, variant="cpu-fast")
    session = open_session(artifact, "cpu", checkpoint.folder)
    (logits,) = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    error = np.sqrt(np.mean((logits - expected) ** 2) / np.mean(expected**2))
    assert 1e-4 < error < 0.1


@pytest.mark.parametrize(("variant", "stated"), [("cpu", "1"), ("cpu-fast", None)])
def test_sessions_are_opened_with_the_settings_that_a_variant_needs(
    variant: str, stated: str | None, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    artifact = exported(checkpoint, tmp_path, variant=variant)
    session = open_session(artifact, "cpu", checkpoint.folder)
    name = "session.disable_prepacking"
    assert session.get_modelmeta().custom_metadata_map.get(f"onnxruntime:{name}") == stated
    if stated is not None:
        assert session.get_session_options().get_session_config_entry(name) == stated


@pytest.mark.parametrize(
    ("layout", "options", "words"),
    [
        ("mxfp4", {"variant": "cpu"}, "takes derived weights, and these have the layout 'mxfp4'"),
        ("int8", {}, "variant is 'portable', and these weights were derived for"),
        ("int8", {"variant": "cpu", "dtype": "float16"}, "computes in float32, not in float16"),
    ],
)
def test_variant_and_weights_must_fit(
    layout: str, options: dict[str, Any], words: str, checkpoint: Checkpoint
) -> None:
    given = checkpoint if layout == "int8" else Checkpoint.open(FIXTURES / f"gpt_oss_{layout}")
    with pytest.raises(ExportError, match=words):
        exporter.export(given, **options)
