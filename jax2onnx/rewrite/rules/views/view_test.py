from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax

from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.products import linear
from jax2onnx.rewrite.rules.views import view
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import (
    PLACES,
    agreement_with,
    by_reference,
    conversion_with,
    operator_counts,
)

RULES = (
    loop_invariant,
    linear,
    view,
)
assert_agrees = agreement_with(*RULES)
convert = conversion_with(*RULES)

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
WEIGHT = np.random.default_rng(0).standard_normal((6, 4), np.float32)


def heads(x: Array, weight: Array) -> Array:
    return Heads(weight)(x)


class Heads(eqx.Module):
    """A projection that is split into heads: two reshapes of one product."""

    weight: Any

    def __call__(self, x: Array) -> Array:
        y = lax.dot_general(x, self.weight, (((2,), (1,)), ((), ())))
        return y.reshape(*x.shape[:2], 2, 3)


@pytest.mark.parametrize("spec", [("B", 3, 4), (2, 3, 4)])
def test_fires(spec: Any) -> None:
    model = assert_agrees(heads, X, WEIGHT, specs=[spec, WEIGHT.shape])
    assert operators(model) == ["Reshape", "Gemm", "Reshape"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(heads), X, WEIGHT)
    counts = operator_counts(model)
    assert (counts["Gemm"], counts["Reshape"]) == (1, 2)


@pytest.mark.parametrize("specs", [[("B", "T", 4)], [(2, 3, 4)]])
def test_an_axis_that_is_added_and_removed_around_a_permutation(specs: Any) -> None:
    def function(x: Array) -> Array:
        return x.reshape(*x.shape[:2], 2, 1, 2).transpose(0, 2, 1, 3, 4).squeeze(3)

    assert operators(assert_agrees(function, X, specs=specs)) == ["Reshape", "Transpose"]


def test_two_computed_shapes_become_one() -> None:
    model = assert_agrees(heads, X, WEIGHT, specs=[("B", "T", 4), WEIGHT.shape])
    counts = operator_counts(model)
    assert (counts["Reshape"], counts["Concat"]) == (2, 1)


def test_output_of_a_module_keeps_its_name() -> None:
    class Model(eqx.Module):
        heads: Heads

        def __call__(self, x: Array) -> Array:
            return jnp.tanh(self.heads(x))

    module, parameters = by_reference(Model(Heads(WEIGHT)))
    model = convert(module, [("B", 3, 4)], parameters=parameters)
    (node,) = [n for n in model.graph.node if "heads/output" in n.output]
    assert node.op_type == "Gemm"


def twice(x: Array) -> tuple[Array, Array]:
    y = x.reshape(-1, 4)
    return jnp.sin(y), y.reshape(x.shape[0], x.shape[1], 2, 2)


def test_holds_back_where_only_the_second_shape_must_be_computed() -> None:
    model = assert_agrees(twice, X, specs=[("B", "T", 4)])
    assert operator_counts(model)["Reshape"] == 2
