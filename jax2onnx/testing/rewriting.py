"""Helpers of the tests of rewrite rules: conversions with some rules, places for expressions."""

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import onnx
import onnx_ir as ir
from jax import Array, lax

from jax2onnx.decorator import onnx_function
from jax2onnx.options import Options
from jax2onnx.rewrite import rewrite
from jax2onnx.testing.agreement import assert_agrees, lowered

Function = Callable[..., Any]


def agreement_with(*rules: ModuleType) -> Callable[..., onnx.ModelProto]:
    """Return ``assert_agrees`` of a conversion in which only some rules rewrite the graph.

    A test names the rules that its result needs, so that a change of another rule neither changes
    nor reruns it.

    Args:
        rules: modules below ``jax2onnx.rewrite.rules``.
    """
    return functools.partial(assert_agrees, convert=conversion_with(*rules))


def conversion_with(*rules: ModuleType) -> Callable[..., onnx.ModelProto]:
    """Return a function that converts a callable, rewritten by some rules.

    It takes the arguments of ``lowered`` but ``rewrite``.

    Args:
        rules: modules below ``jax2onnx.rewrite.rules``.
    """
    names = {rule.__name__.partition(".rules.")[2] for rule in rules}

    def convert(
        fn: Callable[..., Any] | tuple[Any, Any],
        specs: Sequence[Any],
        opset: int = 23,
        **options: Unpack[Options],
    ) -> onnx.ModelProto:
        step = functools.partial(rewrite, only=names, **options)
        return lowered(fn, specs, opset, step, **options)

    return convert


def operator_counts(model: onnx.ModelProto) -> Counter[str]:
    """Return how often a model has each operator, in its functions and branches too."""
    graphs = [model.graph.node, *(f.node for f in model.functions)]
    return Counter(node.op_type for nodes in graphs for node in _nested(nodes))


def _nested(nodes: Any) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _nested(attribute.g.node)


def by_reference(model: Any) -> tuple[Any, dict[str, ir.ExternalTensor]]:
    """Return a model with abstract parameters, and tensors for them that lie in no real file.

    Args:
        model: a pytree of arrays, such as an Equinox module.
    """
    tensors = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(model):
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        dtype, shape = ir.DataType.from_numpy(leaf.dtype), ir.Shape(leaf.shape)
        tensors[name] = ir.ExternalTensor("weights", 0, leaf.nbytes, dtype, shape=shape, name=name)
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), model), tensors


def in_function(function: Function) -> Function:
    """Return a function whose ONNX model has ``function`` as an ONNX function."""

    # The decorator marks `body`, so that `function` itself stays as it is.
    def body(*args: Array) -> Any:
        return function(*args)

    marked: Function = onnx_function(body)
    return marked


def in_scan(function: Function) -> Function:
    """Return a function that calls ``function`` in a Scan, on two copies of its first argument."""

    def scanned(x: Array, *args: Array) -> Array:
        def step(count: Array, row: Array) -> tuple[Array, Array]:
            return count + 1, function(row, *args)

        results: Array = lax.scan(step, jnp.int32(0), jnp.stack([x, x]))[1]
        return results[1]

    return scanned


def in_loop(function: Function) -> Function:
    """Return a function that calls ``function`` in the body of a Loop that runs once."""

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
    """Return a function that calls ``function`` in a branch of an If."""

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
