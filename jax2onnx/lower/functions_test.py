"""Tests of ``functions``; ``decorator_test`` tests the public behaviour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
from jax import Array, lax

from jax2onnx.decorator import onnx_function
from jax2onnx.testing.agreement import lowered


def convert(function: Callable[..., Any], *inputs: Any) -> ir.Model:
    return ir.from_proto(lowered(function, inputs))


def calls(model: ir.Model) -> list[ir.Node]:
    return [node for node in model.graph if node.domain == "custom"]


def names(model: ir.Model) -> list[str]:
    return [function.name for function in model.functions.values()]


def test_calls_that_lower_to_the_same_nodes_share_a_function() -> None:
    @onnx_function
    def scaled(x: Array, unused: float) -> Array:
        return jnp.sin(x) * 2

    model = convert(lambda x: scaled(scaled(x, 1.0), 2.0), (3,))
    assert len(calls(model)) == 2
    assert names(model) == ["scaled"]


def test_calls_that_differ_in_one_attribute_have_different_functions() -> None:
    @onnx_function
    def summed(x: Array, axis: int) -> Array:
        return jnp.sum(x, axis, keepdims=True) + x

    model = convert(lambda x: summed(summed(x, 0), 1), (3, 3))
    assert names(model) == ["summed", "summed_axis_1"]


def test_a_function_within_a_branch_is_compared_too() -> None:
    @onnx_function
    def chosen(x: Array, up: float) -> Array:
        result: Array = lax.cond(x[0] > 0, lambda y: y + up, jnp.cos, x)
        return result

    model = convert(lambda x: chosen(chosen(chosen(x, 1.0), 2.0), 1.0), (3,))
    assert len(calls(model)) == 3
    assert len(names(model)) == 2


def test_large_captured_arrays_are_inputs_and_small_ones_constants() -> None:
    small, large = np.arange(3, dtype=np.float32), np.arange(51, dtype=np.float32).reshape(3, 17)

    @onnx_function
    def body(x: Array) -> Array:
        result: Array = jnp.asarray(x @ large + small[0])
        return result

    model = convert(body, (2, 3))
    (function,) = model.functions.values()
    assert len(function.inputs) == 2
    (call,) = calls(model)
    shapes = [tuple(v.shape) for v in call.inputs if v is not None and v.shape is not None]
    assert shapes == [(2, 3), (3, 17)]


def test_a_result_that_is_an_argument_is_forwarded() -> None:
    @onnx_function
    def both(x: Array) -> tuple[Array, Array]:
        return x, jnp.sin(x)

    @onnx_function
    def same(x: Array) -> Array:
        return x

    model = convert(lambda x: (*both(x), same(x)), (3,))
    (call,) = calls(model)
    assert len(call.outputs) == 1
    assert names(model) == ["both"]


def test_dimensions_that_no_argument_has_are_inputs() -> None:
    @onnx_function
    def spread(x: Array, length: Any) -> Array:
        return jnp.broadcast_to(x, (length,))

    model = convert(lambda x, y: spread(y, x.shape[0]), ("B",), ())
    (function,) = model.functions.values()
    assert [v.name for v in function.inputs] == ["x", "dim_B"]


def test_functions_are_listed_before_their_callers() -> None:
    @onnx_function
    def inner(x: Array) -> Array:
        return jnp.sin(x)

    @onnx_function
    def outer(x: Array) -> Array:
        return inner(x) + 1

    model = convert(jax.jit(outer), (3,))
    assert names(model) == ["inner", "outer"]
    assert [node.op_type for node in calls(model)] == ["outer"]
