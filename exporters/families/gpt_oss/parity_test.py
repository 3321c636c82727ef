from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporters.errors import ExportError
from exporters.families.gpt_oss.parity import against_jax, against_torch
from weights import Checkpoint

FIXTURES = Path(__file__).parents[3] / "weights" / "fixtures"
REFERENCE = FIXTURES / "gpt_oss_reference.npz"


@pytest.fixture
def checkpoint() -> Checkpoint:
    return Checkpoint.open(FIXTURES / "gpt_oss_mxfp4")


def test_jax_agrees_with_torch(checkpoint: Checkpoint) -> None:
    ours, theirs = against_jax(checkpoint, REFERENCE), against_torch(checkpoint, REFERENCE)
    for one, other in zip(ours, theirs, strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.inputs["input_ids"], other.inputs["input_ids"])
        np.testing.assert_allclose(
            one.outputs["logits"], other.outputs["logits"], rtol=0, atol=1e-5
        )


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        ({}, [(3, 5), (1, 150), (4, 9)]),
        ({"batch": 2, "sequence": 7}, [(2, 7), (2, 7), (2, 7)]),
    ],
)
def test_random_ids_have_the_shape_of_the_export(
    checkpoint: Checkpoint, options: dict[str, Any], shapes: list[tuple[int, ...]]
) -> None:
    cases = list(against_jax(checkpoint, **options))
    assert [case.inputs["input_ids"].shape for case in cases] == shapes
    assert all(case.inputs["input_ids"].max() < 101 for case in cases)


def test_only_stored_cases_with_the_shape_of_the_export_are_used(checkpoint: Checkpoint) -> None:
    assert [case.name for case in against_torch(checkpoint, REFERENCE, sequence=4)] == ["short"]
    wanted = r"shape \(3, 4\) and \(2, 13\).*takes \('batch_size', 5\)"
    with pytest.raises(ExportError, match=wanted):
        list(against_torch(checkpoint, REFERENCE, sequence=5))


def test_with_a_cache_a_case_runs_in_two_steps(checkpoint: Checkpoint) -> None:
    ours = list(against_jax(checkpoint, REFERENCE, cache=True, batch=2))
    theirs = list(against_torch(checkpoint, REFERENCE, cache=True, batch=2))
    assert [case.name for case in ours] == ["long, beginning", "long, continued"]
    for one, other in zip(ours, theirs, strict=True):
        assert (one.name, list(one.inputs)) == (other.name, list(other.inputs))
        np.testing.assert_allclose(
            one.outputs["logits"], other.outputs["logits"], rtol=0, atol=1e-5
        )
        length = one.inputs["past_key_values.1.key"].shape[2] + one.inputs["input_ids"].shape[1]
        assert one.outputs["present.1.value"].shape[2] == length


def test_with_a_cache_a_fixed_sequence_is_the_last_step(checkpoint: Checkpoint) -> None:
    cases = list(against_torch(checkpoint, REFERENCE, cache=True, sequence=1, batch=3))
    assert [case.name for case in cases] == ["short, continued"]
    assert cases[0].inputs["input_ids"].shape == (3, 1)
    assert cases[0].inputs["past_key_values.0.value"].shape == (3, 2, 3, 8)
    assert cases[0].outputs["logits"].shape == (3, 1, 101)


def test_the_padded_case_has_padding_on_both_sides(checkpoint: Checkpoint) -> None:
    for case in against_jax(checkpoint, cache=True, position_ids=True):
        mask, positions = case.inputs["attention_mask"], case.inputs["position_ids"]
        assert (mask.min() == 0) == case.name.startswith("padded")
        if case.name == "padded, continued":
            assert mask.tolist()[1:] == [[1] * 8 + [0], [0, 0] + [1] * 7, [1] * 6 + [0] * 3]
            assert positions.tolist()[1:] == [[4, 5, 6, 7, 7], [2, 3, 4, 5, 6], [4, 5, 5, 5, 5]]
