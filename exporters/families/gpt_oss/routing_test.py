"""Ties are told apart from faults, and the artifact routes as JAX and torch do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from exporters.artifact.convert import Request
from exporters.artifact.convert import export as write
from exporters.artifact.manifest import Weights
from exporters.errors import ExportError
from exporters.families.gpt_oss import routing
from exporters.parity.definition import ParityTest
from exporters.parity.verify import verify
from jax2onnx.checks.comparison import Tolerance
from weights import Checkpoint

FIXTURES = Path(__file__).parents[3] / "weights" / "fixtures"
EXPORTER = "exporters.families.gpt_oss.export:export"
TOLERANCE = Tolerance(1e-5, 0)
Outputs = dict[str, npt.NDArray[Any]]


def outputs(*layers: Sequence[Sequence[float]], count: int = 2) -> Outputs:
    """Return the routing that follows from the scores (T, E) of each layer, for one sequence."""
    made: Outputs = {}
    for number, layer in enumerate(layers):
        scores = np.asarray(layer, np.float32)[None]
        experts = np.argsort(-scores, axis=-1, kind="stable")[..., :count]
        chosen = np.exp(np.take_along_axis(scores, experts, axis=-1))
        made |= {
            f"router.{number}.scores": scores,
            f"router.{number}.experts": experts.astype(np.int32),
            f"router.{number}.shares": chosen / chosen.sum(axis=-1, keepdims=True),
        }
    return made


CLEAR: list[list[float]] = [[3, 2, 1, 0], [0, 1, 2, 3]]


def test_equal_routing_has_no_findings() -> None:
    judged = routing.judge(outputs(CLEAR, CLEAR), outputs(CLEAR, CLEAR), TOLERANCE)
    assert judged.findings == ()
    assert judged.lines[1] == (
        "layer 1: 2 of 2 tokens have the same experts, 0 ties; scores within 0, shares within 0, "
        "smallest gap 1"
    )


def test_the_order_of_chosen_experts_does_not_matter() -> None:
    expected, actual = outputs([[3, 3, 1, 0]]), outputs([[3, 3, 1, 0]])
    for part in ("experts", "shares"):
        actual[f"router.0.{part}"] = actual[f"router.0.{part}"][..., ::-1]
    assert routing.judge(expected, actual, TOLERANCE).findings == ()


def test_a_tie_is_no_fault() -> None:
    judged = routing.judge(
        outputs([[3, 2.000001, 2, 0]]), outputs([[3, 2, 2.000001, 0]]), TOLERANCE
    )
    assert judged.findings == ()
    assert "0 of 1 tokens have the same experts, 1 ties" in judged.lines[0]
    assert judged.lines[1].startswith("  tie: token 0 of sequence 0: expert 1 scores 2.000001")


def test_what_depends_on_a_tie_is_left_out() -> None:
    """The second token ties in layer 0. Its layer 1 may differ, and that of the first may not."""
    expected = outputs([[3, 2, 1, 0], [3, 2.000001, 2, 0]], CLEAR)
    actual = outputs([[3, 2, 1, 0], [3, 2, 2.000001, 0]], [[3, 2, 1, 0], [3, 2, 1, 0]])
    judged = routing.judge(expected, actual, TOLERANCE)
    assert judged.findings == ()
    assert "1 left out after a tie" in judged.lines[-1]
    actual = outputs([[3, 2, 1, 0], [3, 2, 2.000001, 0]], [[0, 1, 2, 3], [3, 2, 1, 0]])
    (finding,) = routing.judge(expected, actual, TOLERANCE).findings
    assert finding == "layer 1: the scores of token 0 of sequence 0 differ"


@pytest.mark.parametrize("value", [3.001, np.nan, np.inf])
def test_other_scores_are_a_fault(value: float) -> None:
    actual = outputs(CLEAR)
    actual["router.0.scores"][0, 1, 3] = value
    (finding,) = routing.judge(outputs(CLEAR), actual, TOLERANCE).findings
    assert finding == "layer 0: the scores of token 1 of sequence 0 differ"


def test_experts_that_do_not_follow_from_the_scores_are_a_fault() -> None:
    wrong = outputs(CLEAR)
    wrong["router.0.experts"][0, 0] = [0, 2]
    (finding,) = routing.judge(outputs(CLEAR), wrong, TOLERANCE).findings
    assert "the artifact sends token 0 of sequence 0 to experts without the highest" in finding
    (finding,) = routing.judge(wrong, outputs(CLEAR), TOLERANCE).findings
    assert "the reference sends token 0 of sequence 0 to experts without the highest" in finding


def test_other_shares_are_a_fault() -> None:
    wrong = outputs(CLEAR)
    wrong["router.0.shares"] = wrong["router.0.shares"][..., ::-1].copy()
    (finding,) = routing.judge(outputs(CLEAR), wrong, TOLERANCE).findings
    assert finding == ("layer 0: the shares of token 0 of sequence 0, token 1 of sequence 0 differ")


def test_another_shape_is_a_fault() -> None:
    (finding,) = routing.judge(outputs(CLEAR), outputs(CLEAR[:1]), TOLERANCE).findings[:1]
    assert finding == "layer 0: scores has the shape (1, 1, 4) instead of (1, 2, 4)"


def test_the_options_must_ask_for_routing() -> None:
    checkpoint = Checkpoint.open(FIXTURES / "gpt_oss_mxfp4")
    with pytest.raises(ExportError, match="'routing': True"):
        next(routing.against_jax(checkpoint, cache=True, routing=True))


@pytest.mark.parametrize(
    ("reference", "data"),
    [("against_torch", "gpt_oss_routing"), ("against_jax", "gpt_oss_reference")],
)
def test_the_artifact_routes_as_the_references_do(
    reference: str, data: str, tmp_path: Path
) -> None:
    checkpoint = Checkpoint.open(FIXTURES / "gpt_oss_mxfp4")
    weights = Weights("weights:w", "Apache-2.0", "random numbers", [])
    options = {"routing": True}
    artifact = tmp_path / "model.onnx"
    write(Request("exporters:routing", EXPORTER, options, 23, checkpoint, weights), artifact)
    lines: list[str] = []
    test = ParityTest(
        target="exporters:routing",
        model=artifact,
        exporter=EXPORTER,
        options=options,
        reference=f"exporters.families.gpt_oss.routing:{reference}",
        data=FIXTURES / f"{data}.npz",
        provider="cpu",
        atol=1e-5,
        rtol=0.0,
    )
    verify(test, checkpoint, lines.append)
    report = "\n".join(lines)
    assert "layer 1: 26 of 26 tokens have the same experts, 0 ties" in report
