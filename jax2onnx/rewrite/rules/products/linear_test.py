from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from flax import nnx
from jax import Array, lax

from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.products import linear
from jax2onnx.rewrite.rules.views import stored_order
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
    stored_order,
)
assert_agrees = agreement_with(*RULES)
convert = conversion_with(*RULES)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 3, 8), np.float32)
ROWS = X[0]


class Linear(eqx.Module):
    """A layer with a weight of shape (out, in)."""

    weight: Any
    bias: Any

    def __init__(self, dtype: Any = np.float32, bias: bool = True) -> None:
        self.weight = jnp.asarray(RNG.standard_normal((5, 8)), dtype)
        self.bias = jnp.linspace(-1, 1, 5, dtype=dtype) if bias else None

    def __call__(self, x: Array) -> Array:
        last = (x.ndim - 1,)
        y = lax.dot_general(x, self.weight.astype(x.dtype), ((last, (1,)), ((), ())))
        return y if self.bias is None else y + self.bias.astype(x.dtype)


def project(x: Array, weight: Array, bias: Array) -> Array:
    """Apply a layer whose weight is an input, which cannot be stored in another order."""
    last = (x.ndim - 1,)
    product: Array = lax.dot_general(x, weight, ((last, (1,)), ((), ())))
    return product + bias


def several(x: Array, *weights: Array) -> list[Array]:
    """Apply layers that read one input."""
    return [project(x, weight, jnp.arange(5.0)) for weight in weights]


WEIGHTS = [RNG.standard_normal((5, 8), np.float32) for _ in range(3)]
BIAS = np.linspace(-1, 1, 5, dtype=np.float32)


def inputs(model: onnx.ModelProto) -> list[list[str]]:
    return [list(n.input) for n in model.graph.node if n.op_type == "Gemm"]


@pytest.mark.parametrize("specs", [[(3, 8)], [("B", 8)]])
@pytest.mark.parametrize("bias", [True, False])
def test_matrix(bias: bool, specs: Any) -> None:
    model = assert_agrees(Linear(bias=bias), ROWS, specs=specs)
    assert operators(model) == ["Gemm"]
    assert inputs(model) == [["x", "weight", "bias"] if bias else ["x", "weight"]]


@pytest.mark.parametrize("spec", [(2, 3, 8), ("B", 3, 8), (2, "T", 8), ("B", "T", 8)])
def test_a_parameter_stays_a_matmul_where_tensors_are_multiplied(spec: Any) -> None:
    layer = Linear()
    model = assert_agrees(layer, X, specs=[spec])
    assert operators(model) == ["MatMul", "Add"]
    stored = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    np.testing.assert_array_equal(stored["weight"], np.asarray(layer.weight).T)


def test_one_graph_has_one_operator_for_its_parameters() -> None:
    class Model(eqx.Module):
        body: Linear
        head: eqx.nn.Linear
        flax: Array

        def __call__(self, x: Array) -> Array:
            first = self.body(x)[:, 0]
            return jax.vmap(self.head)(first) @ self.flax + jnp.arange(4.0)

    head = eqx.nn.Linear(5, 3, key=jax.random.key(0))
    model = assert_agrees(Model(Linear(), head, jnp.ones((3, 4))), X, specs=[("B", 3, 8)])
    assert operator_counts(model)["Gemm"] == 0
    assert operator_counts(model)["Transpose"] == 0


def test_a_parameter_with_other_readers_is_not_stored_twice() -> None:
    def tied(x: Array, layer: Linear) -> Array:
        result: Array = layer(x) + layer.weight[:, 0]
        return result

    model = assert_agrees(eqx.Partial(tied, layer=Linear()), X, specs=[("B", 3, 8)])
    assert operator_counts(model)["Gemm"] == 1
    assert [i.name for i in model.graph.initializer if "weight" in i.name] == [
        "keywords.layer.weight"
    ]


def test_a_parameter_that_lies_in_a_file_stays_as_it_is() -> None:
    layer, parameters = by_reference(Linear(bias=False))
    model = convert(layer, [("B", 3, 8)], parameters=parameters)
    assert operators(model) == ["Reshape", "Gemm", "Reshape"]


@pytest.mark.parametrize("spec", [(2, 3, 8), ("B", 3, 8), (2, "T", 8)])
def test_leading_axes_are_merged(spec: Any) -> None:
    model = assert_agrees(project, X, WEIGHTS[0], BIAS, specs=[spec, (5, 8), (5,)])
    assert operators(model) == ["Reshape", "Gemm", "Reshape"]


def test_the_shape_of_two_symbolic_axes_is_computed_once() -> None:
    specs = [("B", "T", 8), (5, 8), (5, 8)]
    model = assert_agrees(several, X, *WEIGHTS[:2], specs=specs)
    counts = operator_counts(model)
    assert (counts["Gemm"], counts["Shape"], counts["Concat"]) == (2, 2, 1)


def test_products_of_one_tensor_share_its_view() -> None:
    model = assert_agrees(several, X, *WEIGHTS, specs=[("B", 3, 8), *[(5, 8)] * 3])
    counts = operator_counts(model)
    assert (counts["Gemm"], counts["Reshape"]) == (3, 4)


def test_module_of_equinox_on_one_vector() -> None:
    model = assert_agrees(eqx.nn.Linear(8, 5, key=jax.random.key(0)), X[0, 0])
    assert operators(model) == ["Unsqueeze", "Gemm", "Squeeze"]
    assert inputs(model)[0][1:] == ["weight", "bias"]


def test_module_of_flax_on_a_matrix() -> None:
    module = nnx.Linear(8, 5, rngs=nnx.Rngs(0))
    assert module.bias is not None
    module.bias[...] = jnp.arange(5.0)
    model = assert_agrees(module, ROWS, specs=[("B", 8)])
    assert operators(model) == ["Gemm"]


def test_narrow_weights_are_cast_before_the_product() -> None:
    model = assert_agrees(Linear(jnp.bfloat16), ROWS, rtol=1e-4, atol=1e-4)
    assert sorted(operators(model)) == ["Cast", "Cast", "Gemm"]


def test_module_outputs_keep_their_names() -> None:
    class Model(eqx.Module):
        first: Linear

        def __call__(self, x: Array) -> Array:
            return jnp.tanh(self.first(x))

    model = convert(Model(Linear()), [("B", 8)])
    assert [n.op_type for n in model.graph.node if "first/output" in n.output] == ["Gemm"]
    assert [n.name for n in model.graph.node if n.op_type == "Gemm"] == ["first/Gemm"]


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    def apply(x: Array, weight: Array) -> Array:
        return project(x, weight, jnp.arange(5.0))

    model = assert_agrees(place(apply), X, WEIGHTS[0])
    assert operator_counts(model)["Gemm"] == 1


def test_computed_matrix() -> None:
    model = assert_agrees(lambda x, y: x @ jnp.tanh(y).T, X, ROWS)
    assert operators(model) == ["Tanh", "Reshape", "Gemm", "Reshape"]


def product_and_sum(x: Array) -> tuple[Array, Array]:
    product = x @ jnp.ones((8, 5))
    return product, product + jnp.arange(5.0)


def sum_of_columns(x: Array) -> Array:
    return x @ jnp.ones((8, 5)) + jnp.arange(3.0)[:, None]


def integers(x: Array) -> Array:
    return x.astype(jnp.int32) @ jnp.ones((8, 5), jnp.int32) + jnp.arange(5)


def batches(x: Array) -> Array:
    return x[None] @ jnp.ones((2, 8, 5)) + jnp.arange(5.0)


@pytest.mark.parametrize("function", [product_and_sum, sum_of_columns, integers, batches])
def test_holds_back(function: Any) -> None:
    model = assert_agrees(function, ROWS)
    assert operator_counts(model)["Gemm"] == 0


def test_a_product_with_other_readers_is_not_fused_with_its_bias() -> None:
    class Twice(eqx.Module):
        layer: Linear

        def __call__(self, x: Array) -> Array:
            product = self.layer(x)
            return (product + jnp.arange(5.0)) * product

    model = assert_agrees(Twice(Linear(bias=False)), ROWS)
    assert operators(model) == ["Gemm", "Add", "Mul"]
