"""Contractions agree with JAX for any axes, in any order, with parameters on either side."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.testing.agreement import assert_agrees, operators

_RNG = np.random.default_rng(0)
X = _RNG.standard_normal((3, 4), dtype=np.float32)
W = _RNG.standard_normal((5, 4), dtype=np.float32)

Shape = tuple[int, ...]
CASES: list[tuple[Shape, Shape, Any]] = [
    ((3, 4), (4, 5), (((1,), (0,)), ((), ()))),
    ((3, 4), (5, 4), (((1,), (1,)), ((), ()))),
    ((4, 3), (4, 5), (((0,), (0,)), ((), ()))),
    ((4,), (4,), (((0,), (0,)), ((), ()))),
    ((4,), (4, 5), (((0,), (0,)), ((), ()))),
    ((3, 4), (4,), (((1,), (0,)), ((), ()))),
    ((3,), (4,), (((), ()), ((), ()))),
    ((2, 3, 4), (4, 5), (((2,), (0,)), ((), ()))),
    ((2, 4, 3), (5, 4, 6), (((1,), (1,)), ((), ()))),
    ((2, 3, 4, 5), (4, 3, 6), (((1, 2), (1, 0)), ((), ()))),
    ((2, 3, 4), (2, 4, 5), (((2,), (1,)), ((0,), (0,)))),
    ((3, 2, 4), (5, 4, 2), (((2,), (1,)), ((1,), (2,)))),
    ((2, 3, 4, 5), (3, 2, 5, 6), (((3,), (2,)), ((0, 1), (1, 0)))),
    ((2, 3, 4, 6), (2, 4, 5, 7), (((2,), (1,)), ((0,), (0,)))),
    ((3, 4), (3, 4), (((), ()), ((0, 1), (0, 1)))),
    ((3, 4), (4, 3), (((), ()), ((0, 1), (1, 0)))),
    ((4, 3, 2), (5, 3, 6, 4), (((), ()), ((0, 1), (3, 1)))),
    ((3,), (2, 3, 4), (((), ()), ((0,), (1,)))),
    ((), (2, 3), (((), ()), ((), ()))),
]


@pytest.mark.parametrize("equation", ["bhqk,h->bhqk", "h,bhqk->bhqk", "bhqk,bq->bhqk"])
@pytest.mark.parametrize("batch", [2, "B"])
def test_a_factor_of_each_head_is_a_mul(equation: str, batch: Any) -> None:
    """BERT masks its heads so."""
    sizes = dict(zip("bhqk", (batch, 3, 4, 5), strict=True))
    specs = [tuple(sizes[a] for a in part) for part in equation.partition("->")[0].split(",")]
    arrays = [
        _RNG.standard_normal([2 if d == "B" else d for d in spec], dtype=np.float32)
        for spec in specs
    ]
    model = assert_agrees(lambda x, y: jnp.einsum(equation, x, y), *arrays, specs=specs)
    found = [each for each in operators(model) if each not in ("Reshape", "Unsqueeze")]
    assert found == ["Mul"]


@pytest.mark.parametrize(("left", "right", "numbers"), CASES)
def test_axes(left: Shape, right: Shape, numbers: Any) -> None:
    x, y = (_RNG.standard_normal(s, dtype=np.float32) for s in (left, right))
    model = assert_agrees(lambda x, y: lax.dot_general(x, y, numbers), x, y)
    products = ("MatMul", "Gemm") if numbers[0][0] else ("Mul",)
    assert sum(each in products for each in operators(model)) == 1
    assert_agrees(lambda y: lax.dot_general(x, y, numbers), y)
    assert_agrees(lambda x: lax.dot_general(x, y, numbers), x)


@pytest.mark.parametrize("named", [False, True])
def test_a_parameter_is_the_right_operand(named: bool) -> None:
    """JAX has the parameter on the left: ``w x^T`` is ``(x w^T)^T``."""
    spec = ("B", 4) if named else X.shape
    for fn in (lambda x: W @ x.T, lambda x: x @ W.T):
        model = assert_agrees(fn, X, specs=[spec])
        (product,) = (n for n in model.graph.node if n.op_type in ("MatMul", "Gemm"))
        assert product.input[0] == model.graph.input[0].name
        turned = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "Transpose"}
        right = turned.get(product.input[1], product.input[1])  # Rewriting stores it transposed.
        assert right in {i.name for i in model.graph.initializer}


@pytest.mark.parametrize("equation", ["bthd,dhm->btm", "dhm,bthd->btm"])
def test_a_parameter_takes_the_order_of_what_it_is_multiplied_with(equation: str) -> None:
    """Keras's attention contracts heads of a parameter that has them last."""
    x, w = (_RNG.standard_normal(s, dtype=np.float32) for s in ((2, 3, 4, 5), (5, 4, 6)))

    def fn(x: jax.Array) -> jax.Array:
        return jnp.einsum(equation, *((x, w) if equation[0] == "b" else (w, x)))

    model = assert_agrees(fn, x)
    (turned,) = (n for n in model.graph.node if n.op_type == "Transpose")
    assert turned.input[0] in {i.name for i in model.graph.initializer}


def test_two_parameters_or_two_inputs_keep_their_order() -> None:
    model = assert_agrees(lambda x, y: x @ y.T, X, W)
    (product,) = (n for n in model.graph.node if n.op_type in ("MatMul", "Gemm"))
    assert product.input[0] == model.graph.input[0].name
    assert_agrees(lambda x: x + (jax.numpy.asarray(X) @ jax.numpy.asarray(W).T).sum(), X)


@pytest.mark.parametrize(("left", "right"), [((3, 0), (0, 5)), ((0, 4), (4, 5)), ((3, 4), (4, 0))])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_without_elements(left: Shape, right: Shape, dtype: Any) -> None:
    assert_agrees(lambda x, y: x @ y, np.ones(left, dtype), np.ones(right, dtype))


@pytest.mark.parametrize(("given", "wanted"), [(np.int8, np.int32), (np.float16, np.float32)])
def test_accumulation_in_another_type(given: Any, wanted: Any) -> None:
    def fn(x: jax.Array, y: jax.Array) -> jax.Array:
        return lax.dot_general(
            x, y, (((1,), (1,)), ((), ())), preferred_element_type=jax.numpy.dtype(wanted)
        )

    x, y = (np.full(shape, 100, given) for shape in ((3, 4), (5, 4)))
    assert_agrees(fn, x, y, rtol=0, atol=0)


def test_groups_of_rows() -> None:
    matrices = _RNG.standard_normal((3, 4, 2), dtype=np.float32)
    rows = _RNG.standard_normal((6, 4), dtype=np.float32)
    assert_agrees(lax.ragged_dot, rows, matrices, np.array([1, 3, 2], np.int32))
    assert_agrees(lax.ragged_dot, rows, matrices, np.array([0, 5, 0], np.int32))
