from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from exporters.artifact.convert import Request, export
from exporters.artifact.manifest import Weights
from exporters.errors import ExportError
from exporters.model.exportable import ParityCase
from exporters.parity.definition import ParityTest
from exporters.parity.verify import verify
from weights import Checkpoint

FIXTURES = Path(__file__).parents[2] / "weights" / "fixtures"
FAMILIES = {"minilm": "minilm_tiny", "dinov3": "dinov3_vit", "gpt_oss": "gpt_oss_mxfp4"}


@pytest.fixture(scope="module", params=FAMILIES)
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ParityTest, Checkpoint]:
    """Return a parity test of the artifact of a family's small checkpoint, and the checkpoint."""
    family = request.param
    checkpoint = Checkpoint.open(FIXTURES / FAMILIES[family])
    exporter = f"exporters.families.{family}.export:export"
    artifact = tmp_path_factory.mktemp(family) / "model.onnx"
    weights = Weights("weights:w", "MIT", "made up", [])
    export(Request(f"exporters:{family}", exporter, {}, 23, checkpoint, weights), artifact)
    reference = f"exporters.families.{family}.parity:against_jax"
    return ParityTest(
        f"exporters:{family}", artifact, exporter, {}, reference, None, "cpu", 1e-4, 1e-4
    ), checkpoint


Exported = tuple[ParityTest, Checkpoint]


def verified(test: ParityTest, checkpoint: Checkpoint) -> tuple[str, str]:
    """Return the report and the error."""
    lines: list[str] = []
    try:
        verify(test, checkpoint, lines.append)
    except ExportError as error:
        return "\n".join(lines), str(error)
    return "\n".join(lines), ""


def test_an_artifact_agrees_with_jax(exported: Exported) -> None:
    report, error = verified(*exported)
    assert not error
    assert "FAILED" not in report


# The tensor of a parameter in the second layer is replaced by another of its shape and dtype.
SWAPS = {
    "minilm": ("layers.1.attention.output.weight", "layers.0.attention.output.weight"),
    "dinov3": ("layer.1.attention.o_proj.weight", "layer.0.attention.o_proj.weight"),
    "gpt_oss": ("layers.1.attention.o.weight", "layers.0.attention.o.weight"),
}


def test_the_first_module_that_differs_is_named(exported: Exported, tmp_path: Path) -> None:
    test, checkpoint = exported
    wrong, right = SWAPS[test.target.partition(":")[2]]
    model = ir.load(test.model)
    initializers = model.graph.initializers
    misled = initializers[right].const_value
    assert isinstance(misled, ir.ExternalTensor)
    initializers[wrong].const_value = ir.ExternalTensor(
        misled.location,
        misled.offset,
        misled.length,
        misled.dtype,
        shape=ir.Shape(misled.shape),
        name=wrong,
        base_dir=checkpoint.folder,
    )
    damaged = tmp_path / "model.onnx"
    damaged.write_bytes(ir.to_proto(model).SerializeToString())
    report, error = verified(replace(test, model=damaged), checkpoint)
    assert "case(s) disagree" in error
    assert f"first differ at {wrong.removesuffix('.weight')};" in report
    assert "largest absolute error" in report


def disagreeing(checkpoint: Checkpoint, data: Path | None) -> Iterator[ParityCase]:
    """Yield a reference that disagrees with the model; ``data`` is the name of its output."""
    ids = np.ones((1, 3), np.int64)
    yield ParityCase(
        "made up",
        {"input_ids": ids, "attention_mask": ids, "token_type_ids": ids * 0},
        {"sentence_embedding": np.zeros((1, 36), np.float32)},
    )


@pytest.mark.parametrize("exported", ["minilm"], indirect=True)
def test_a_wrong_reference_is_not_blamed_on_a_module(exported: Exported) -> None:
    test, checkpoint = exported
    report, error = verified(
        replace(test, reference="exporters.parity.verify_test:disagreeing"), checkpoint
    )
    assert "1 case(s) disagree: made up" in error
    assert "the artifact and JAX agree at all" in report


@pytest.mark.parametrize("exported", ["minilm"], indirect=True)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": Path("nowhere.onnx")}, "nowhere.onnx does not exist"),
        (
            {"reference": "exporters.families.minilm.parity:against_jx"},
            "did you mean 'against_jax'",
        ),
        ({"reference": "exporters.gone:x"}, "no module exporters.gone"),
        ({"provider": "tpu"}, "no execution provider 'tpu'"),
    ],
)
def test_mistakes_are_explained(exported: Exported, change: dict[str, Any], message: str) -> None:
    test, checkpoint = exported
    assert message in verified(replace(test, **change), checkpoint)[1]


def leave(*_: object) -> Iterator[ParityCase]:
    """Stand in for a reference that ends the process."""
    yield from ()
    raise SystemExit(0)


def test_a_reference_that_ends_the_process_fails(exported: Exported) -> None:
    test, checkpoint = exported
    _, error = verified(replace(test, reference=f"{__name__}:leave"), checkpoint)
    assert "leave ended the process (sys.exit(0))" in error


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
@pytest.mark.parametrize("name", ["atol", "rtol"])
def test_a_tolerance_that_shows_nothing_is_refused(
    name: str, value: float, exported: Exported
) -> None:
    with pytest.raises(ExportError, match=f"{name} is {value}: give a finite number, 0 or more"):
        replace(exported[0], **{name: value})  # type: ignore[arg-type]  # one of two fields
