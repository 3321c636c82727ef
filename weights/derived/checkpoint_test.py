from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from weights import Checkpoint, Pin, Pins, WeightsError
from weights.derived import DerivedTensor, provenance, write_derived

SOURCES = Pins((Pin("model.safetensors", "0" * 64, 8),))


def tensors(count: int) -> dict[str, DerivedTensor]:
    """Return a tensor of two elements, of which ``count`` are made."""
    return {"x": DerivedTensor("F32", (2,), lambda: [np.ones(count, np.float32)])}


def test_a_derived_checkpoint_says_what_it_was_derived_from(tmp_path: Path) -> None:
    write_derived(tmp_path / "made", {"size": 2}, tensors(2), "m.derive:double", SOURCES)
    checkpoint = Checkpoint.open(tmp_path / "made")
    np.testing.assert_array_equal(checkpoint.read("x"), np.ones(2))
    assert checkpoint.json()["size"] == 2
    file = {"name": "model.safetensors", "sha256": "0" * 64, "size": 8}
    assert provenance(checkpoint) == {"function": "m.derive:double", "files": [file]}


def test_a_derived_checkpoint_is_not_derived_again(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="this checkpoint is derived already"):
        write_derived(tmp_path / "made", {"derived_from": {}}, tensors(2), "m:f", SOURCES)


@pytest.mark.parametrize("count", [1, 3])
def test_a_function_that_makes_another_number_of_elements(tmp_path: Path, count: int) -> None:
    with pytest.raises(
        WeightsError, match=f"{4 * count} bytes were made of tensor 'x', which has 8"
    ):
        write_derived(tmp_path / "made", {}, tensors(count), "m:f", SOURCES)
    assert not list(tmp_path.iterdir())


def test_a_record_of_another_form(tmp_path: Path) -> None:
    made = tmp_path / "made"
    write_derived(made, {}, tensors(2), "m:f", SOURCES)
    (made / "config.json").write_text(json.dumps({"derived_from": "elsewhere"}))
    with pytest.raises(WeightsError, match="derived_from must be an object"):
        provenance(Checkpoint.open(made))
