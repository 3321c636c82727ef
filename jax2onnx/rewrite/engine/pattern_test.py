from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
import pytest
from jax import Array

from jax2onnx.lower import lower
from jax2onnx.rewrite.engine.pattern import Pattern, Var, match, op, primitive, product
from jax2onnx.trace import trace

x, y = Var("x"), Var("y")


def output(function: Any, count: int = 1) -> ir.Value:
    """Lower a function of vectors."""
    return lower(trace(function, [("B", 3)] * count), 23, "model").graph.outputs[0]


@pytest.mark.parametrize(
    ("pattern", "function"),
    [
        (op.Add(x, 2.0), lambda a: a + 2),
        (op.Add(x, 2.0), lambda a: 2 + a),
        (op.Mul(x, x), lambda a: a * a),
        (op.Sub(1.0, op.Exp(x)), lambda a: 1 - jnp.exp(a)),
        (op.Add(op.Sin(x), op.Cos(x)), lambda a: jnp.cos(a) + jnp.sin(a)),
        (op.Mul(x, 0.1), lambda a: a * np.float32(0.1)),
        (product(0.5, x, op.Sin(x)), lambda a: 0.5 * (a * jnp.sin(a))),
        (product(0.5, x, op.Sin(x)), lambda a: jnp.sin(a) / 2 * a),
        (product(-0.5, x, op.Sin(x)), lambda a: 0.25 * (-a) * (2 * jnp.sin(a))),
        (product(3.0, product(2.0, x), x), lambda a: 6 * a * a),
        (primitive("log1p", x), jnp.log1p),
    ],
)
def test_matches(pattern: Pattern, function: Any) -> None:
    value = output(function)
    found = match(pattern, value)
    assert found is not None
    assert found["x"].is_graph_input()


@pytest.mark.parametrize(
    ("pattern", "function"),
    [
        (op.Add(x, 2.0), lambda a: a + 2.001),
        (op.Sub(x, 2.0), lambda a: 2 - a),
        (op.Mul(x, x), lambda a: a * jnp.sin(a)),
        (product(0.5, x), lambda a: 0.5 * a * a),
        (product(0.5, x, x), lambda a: 0.5 * a * jnp.sin(a)),
        (primitive("log1p", x), jnp.expm1),
    ],
)
def test_does_not_match(pattern: Pattern, function: Any) -> None:
    assert match(pattern, output(function)) is None


def test_an_input_that_is_left_out_is_no_primitive() -> None:
    assert list(primitive("log1p", x).match(None, {})) == []


def test_a_factor_may_be_a_product() -> None:
    def function(a: Array, b: Array) -> Array:
        inner = a * b
        return inner * jnp.sin(inner)

    found = match(product(x, op.Sin(x)), output(function, 2))
    assert found is not None
    assert found["x"].producer() is not None


def test_commuting_operands_are_tried_until_all_variables_agree() -> None:
    def function(a: Array, b: Array) -> Array:
        return (a * b) - jnp.sin(b)

    found = match(op.Sub(op.Mul(x, y), op.Sin(x)), output(function, 2))
    assert found is not None
    assert found["x"].name == "b"
