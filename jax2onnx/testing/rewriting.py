"""What the tests of rules share: where an expression may stand, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import onnx
from jax import Array, lax

from jax2onnx import onnx_function

Function = Callable[..., Any]


def operator_counts(model: onnx.ModelProto) -> Counter[str]:
    """How often each operator stands in a model, its functions and branches included."""
    graphs = [model.graph.node, *(f.node for f in model.functions)]
    return Counter(node.op_type for nodes in graphs for node in _nested(nodes))


def _nested(nodes: Any) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _nested(attribute.g.node)


def in_function(function: Function) -> Function:
    """``function`` as the body of an ONNX function."""

    # A function of its own, so that ``function`` itself stays as it is.
    def body(*args: Array) -> Any:
        return function(*args)

    marked: Function = onnx_function(body)
    return marked


def in_scan(function: Function) -> Function:
    """``function`` in the body of a Scan, once for each of two copies of its first argument."""

    def scanned(x: Array, *args: Array) -> Array:
        def step(count: Array, row: Array) -> tuple[Array, Array]:
            return count + 1, function(row, *args)

        results: Array = lax.scan(step, jnp.int32(0), jnp.stack([x, x]))[1]
        return results[1]

    return scanned


def in_loop(function: Function) -> Function:
    """``function`` in the body of a Loop that runs once."""

    def looped(*args: Array) -> Array:
        shape = jax.eval_shape(function, *args)
        start = jnp.zeros(shape.shape, shape.dtype)
        result: Array = lax.while_loop(
            lambda state: state[0] < 1,
            lambda state: (state[0] + 1, function(*args)),
            (jnp.int32(0), start),
        )[1]
        return result

    return looped


def in_branch(function: Function) -> Function:
    """``function`` in a branch of an If."""

    def chosen(*args: Array) -> Array:
        shape = jax.eval_shape(function, *args)
        result: Array = lax.cond(
            jnp.isnan(args[0]).any(),
            lambda *_: jnp.zeros(shape.shape, shape.dtype),
            function,
            *args,
        )
        return result

    return chosen


PLACES: tuple[Callable[[Function], Function], ...] = (
    in_function,
    in_scan,
    in_loop,
    in_branch,
)
"""Every kind of graph inside a model."""
