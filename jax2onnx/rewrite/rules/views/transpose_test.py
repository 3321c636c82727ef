from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.views import transpose, view
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(loop_invariant, transpose, view)

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def around_an_axis_of_one(x: Array) -> Array:
    """Permute (a, b, c) to (b, a, c) with an intermediate shape of four axes."""
    return jnp.expand_dims(x, 2).transpose(1, 0, 2, 3).squeeze(2)


def moved_one(x: Array) -> Array:
    return jnp.expand_dims(x, 1).transpose(0, 2, 1, 3)


@pytest.mark.parametrize("specs", [[("B", 3, 4)], [(2, 3, 4)]])
@pytest.mark.parametrize(
    ("function", "expected"),
    [(around_an_axis_of_one, ["Transpose"]), (moved_one, ["Unsqueeze"])],
)
def test_fires(function: Any, expected: list[str], specs: Any) -> None:
    model = assert_agrees(function, X, specs=specs)
    found = ["Unsqueeze" if n == "Reshape" else n for n in operators(model)]
    assert found == expected


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(around_an_axis_of_one), X)
    counts = operator_counts(model)
    assert (counts["Transpose"], counts["Unsqueeze"], counts["Squeeze"]) == (1, 0, 0) or (
        place.__name__ == "in_scan"  # A scan stacks its operand.
    )


def test_a_permutation_with_other_readers_stays() -> None:
    def both(x: Array) -> tuple[Array, Array]:
        turned = x.transpose(1, 2, 0)
        return jnp.sin(turned), turned[:, :, :, None].transpose(1, 0, 2, 3)[..., 0]

    model = assert_agrees(both, X)
    assert operators(model).count("Transpose") == 2
