from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporters.errors import ExportError
from exporters.families.dinov3.export import export
from exporters.families.dinov3.parity import against_jax, against_torch
from weights import Checkpoint

FIXTURE = Path(__file__).parents[3] / "weights" / "fixtures" / "dinov3_vit"


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        ({}, [(1, 3, 20, 20), (3, 3, 20, 20)]),
        ({"batch": 2}, [(2, 3, 20, 20)]),
        ({"image_size": ["4*h", "4*w"]}, [(1, 3, 8, 12), (3, 3, 16, 20)]),
        ({"image_size": "4*s"}, [(1, 3, 8, 8), (3, 3, 16, 16)]),
    ],
)
def test_jax_runs_on_the_sizes_of_the_export(
    options: dict[str, Any], shapes: list[tuple[int, ...]]
) -> None:
    checkpoint = Checkpoint.open(FIXTURE)
    cases = list(against_jax(checkpoint, exported=export(checkpoint, **options)))
    assert [case.inputs["pixel_values"].shape for case in cases] == shapes
    assert all(list(case.outputs) == ["last_hidden_state", "pooler_output"] for case in cases)
    assert all(np.isfinite(case.outputs["last_hidden_state"]).all() for case in cases)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["square"]),
        ({"image_size": [12, 28]}, ["wide"]),
        ({"image_size": ["4*h", "4*w"]}, ["square", "wide"]),
        ({"batch": 1, "image_size": ["4*h", 28]}, ["wide"]),
    ],
)
def test_torch_has_outputs_for_the_stored_sizes(options: dict[str, Any], names: list[str]) -> None:
    cases = against_torch(Checkpoint.open(FIXTURE), FIXTURE / "reference.npz", **options)
    assert [case.name for case in cases] == names


def test_the_error_lists_the_stored_sizes() -> None:
    with pytest.raises(ExportError, match=r"\(2, 3, 20, 20\) and \(1, 3, 12, 28\), and the model"):
        list(against_torch(Checkpoint.open(FIXTURE), FIXTURE / "reference.npz", image_size=8))
