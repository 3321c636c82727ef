"""Every artifact is valid, correct and fully typed in every opset."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import pytest
from jax import Array, lax

from jax2onnx import onnx_function, to_onnx
from jax2onnx.api import OPSETS
from jax2onnx.checks.allclose import compare, packed
from jax2onnx.checks.runtime import run

RANDOM = np.random.default_rng(0)
SQUARE = RANDOM.uniform(0.1, 2, (4, 4)).astype(np.float32)
IMAGE = RANDOM.normal(size=(2, 3, 8, 8)).astype(np.float32)
TOKENS = RANDOM.normal(size=(2, 6, 8)).astype(np.float32)
INTEGERS = RANDOM.integers(-100, 100, (4, 4)).astype(np.int32)
FILTERS = jnp.asarray(RANDOM.normal(size=(5, 3, 3, 3)).astype(np.float32))
WEIGHTS = jnp.asarray(RANDOM.normal(size=(8, 8)).astype(np.float32))


def elementwise(x: Array) -> Any:
    y = x[::-1]
    return (
        (jnp.exp(-x), jnp.log1p(x), jnp.tanh(x), lax.erf(x), lax.rsqrt(x), jnp.arcsinh(x)),
        (x**y, jnp.arctan2(x, y), jnp.mod(x, y), jnp.sign(x - y), jnp.where(x < y, x, y)),
        (jax.nn.silu(x), jax.nn.mish(x), jax.nn.celu(x), jax.nn.softplus(x), jax.nn.hard_swish(x)),
        (jnp.round(x), jnp.isfinite(x), jnp.clip(x, 0.5, 1), lax.lgamma(x), lax.digamma(x)),
    )


def reductions(x: Array) -> Any:
    return (
        (x.sum(0), x.mean(), x.max(1), x.min(), x.prod(1), x.std(0), jnp.median(x)),
        (x.argmax(1), (x > 1).any(0), (x > 1).all(), jax.nn.logsumexp(x, 1), jnp.nanmax(x)),
    )


def cumulative(x: Array) -> Any:
    def running(fn: Callable[..., Any], dtype: Any) -> Any:
        return fn(x.astype(dtype), axis=1), fn(x.astype(dtype), axis=0, reverse=True)

    scans = (lax.cumsum, lax.cumprod, lax.cummax, lax.cummin)
    return [running(fn, dtype) for fn in scans for dtype in (jnp.float32, jnp.int8, jnp.uint32)]


def moving(x: Array) -> Any:
    rows = jnp.array([2, 0, -1])
    return (
        (x[rows], x.at[rows].add(1), x.at[:, 1].mul(2), x.at[rows, rows].max(3), x[1:, ::-2]),
        (lax.dynamic_slice(x, (5, 0), (2, 2)), lax.dynamic_update_slice(x, x[:1], (9, 0))),
        (jnp.pad(x, ((1, 0), (0, 2)), "reflect"), jnp.tile(x, 2), jnp.roll(x, 1), x.T, jnp.tril(x)),
        (jnp.sort(x, 0), jnp.argsort(x), lax.top_k(x, 2), jnp.split(x, 2), jnp.concatenate([x, x])),
        (jax.nn.one_hot(rows, 4), jnp.unique(jnp.array([3, 1, 3]), size=2), jnp.repeat(x, 2, 0)),
    )


def images(x: Array) -> Any:
    convolved = lax.conv_general_dilated(x, FILTERS, (2, 2), "SAME", rhs_dilation=(1, 2))
    pooled = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    summed = lax.reduce_window(x, 0.0, lax.add, (1, 1, 3, 3), (1, 1, 1, 1), "SAME") / 9
    blocks = x.reshape(2, 3, 4, 2, 4, 2).transpose(0, 3, 5, 1, 2, 4).reshape(2, 12, 4, 4)
    return convolved, pooled, summed, blocks, jax.image.resize(x, (2, 3, 16, 16), "bilinear")


def block(x: Array) -> Array:
    def normalised(x: Array) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        return centred * lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)

    def turned(x: Array) -> Array:
        angles = jnp.outer(jnp.arange(6.0), jnp.array([1.0, 0.1]))
        cos, sin = jnp.cos(angles)[None, :, None], jnp.sin(angles)[None, :, None]
        a, b = jnp.split(x, 2, -1)
        return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    q, k, v = (jnp.reshape(normalised(x) @ (WEIGHTS + i), (2, 6, 2, 4)) for i in range(3))
    x = x + jax.nn.dot_product_attention(turned(q), turned(k), v).reshape(x.shape)
    x = x * lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6)
    masked = jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(x.shape)
    return masked + jax.nn.gelu(x @ WEIGHTS) + jax.nn.softmax(jax.nn.gelu(x, approximate=False))


def control(x: Array) -> Any:
    def step(carry: Array, row: Array) -> tuple[Array, Array]:
        return carry + row, lax.cond(row.sum() > 4, lambda y: y * 2, lambda y: y - carry, row)

    return (
        lax.while_loop(lambda y: y.sum() < 100, lambda y: y * 2, x),
        lax.fori_loop(0, 3, lambda i, y: y.at[i].set(y[i] + i), x),
        lax.scan(step, jnp.zeros_like(x[0]), x, reverse=True),
        lax.switch(x.sum().astype(int) % 3, [jnp.sin, jnp.cos, jnp.tanh], x),
        lax.map(lambda row: lax.scan(step, row, x)[0], x),
    )


@onnx_function
def inner(x: Array) -> Array:
    return lax.fori_loop(0, 2, lambda i, y: jnp.sin(y) + i, x)  # type: ignore[no-any-return]


@onnx_function
def outer(x: Array, half: Array) -> tuple[Array, Array]:
    return inner(x) + inner(x.T), half.astype(jnp.bfloat16).sum(0).astype(jnp.float32)


def functions(x: Array) -> Any:
    return outer(x, x), outer(x + 1, x), inner(x[:2])


def bits(x: Array) -> Any:
    small = x.astype(jnp.int8)
    return (
        (x << 3, x >> 2, lax.shift_right_logical(x, 5), x & 7, ~x, x ^ x.T, small >> 1),
        (lax.population_count(x), lax.clz(small), x // 7, x % 7, lax.rem(x, x | 1), -small),
        (lax.bitcast_convert_type(x, jnp.float32) > 1, jnp.nextafter(x / 3.0, 7.0)),
        (jax.random.uniform(jax.random.key(3), (4,)), jax.random.bits(jax.random.key(1), (3,))),
    )


def narrow(x: Array) -> Any:
    def each(dtype: Any) -> Any:
        y = x.astype(dtype)
        return y + 1, y @ y, y.sum(0), jnp.where(y > 1, y, 0), jnp.sort(y), y[:, ::2].max(0)

    dtypes = (jnp.float16, jnp.bfloat16, jnp.int8, jnp.uint16, jnp.uint32)
    return [[y.astype(jnp.float32) for y in each(dtype)] for dtype in dtypes]


def spectra(x: Array) -> Any:
    z = jnp.fft.fft(x)
    return jnp.abs(z), jnp.fft.irfft(z[:, :3]), (z * 1j).real, z, jnp.linalg.cholesky(x @ x.T)


def sizes(x: Array) -> Any:
    count = x.shape[0]
    return (
        (x.reshape(-1), x.reshape(2 * count, 2), jnp.broadcast_to(x[:, None], (count, 3, 4))),
        (jnp.arange(count) * 2, lax.cumprod(x, axis=0), lax.fori_loop(0, count, jnp.add, x)),
        (jnp.concatenate([x, x]), x[: count // 2], jax.nn.softmax(x @ x.T), jnp.ones((count, 2))),
    )


FAMILIES: dict[Callable[[Array], Any], np.ndarray[Any, Any]] = {
    elementwise: SQUARE,
    reductions: SQUARE,
    cumulative: SQUARE,
    moving: SQUARE,
    images: IMAGE,
    block: TOKENS,
    control: SQUARE,
    functions: SQUARE,
    bits: INTEGERS,
    narrow: SQUARE,
    spectra: SQUARE,
    sizes: SQUARE,
}


TYPES_IN_FUNCTIONS = 10
"""The IR version that introduced types of the values in a function."""


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("fn", FAMILIES, ids=lambda fn: fn.__name__)
def test_every_family_converts_in_every_opset(fn: Callable[[Array], Any], opset: int) -> None:
    x = FAMILIES[fn]
    model = to_onnx(fn, [("N", 4) if fn is sizes else x], opset=opset)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    assert {(e.domain, e.version) for e in model.opset_import if e.domain == ""} == {("", opset)}
    if model.ir_version >= TYPES_IN_FUNCTIONS:
        assert list(_untyped(model)) == []
    for names in _scopes(model):
        assert len(names) == len(set(names))
    for function in model.functions if model.ir_version >= TYPES_IN_FUNCTIONS else ():
        _infer(function, model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found = run(session, {session.get_inputs()[0].name: x})
    # ONNX Runtime keeps the precision of float32 between two float16 operators.
    tolerance = 2e-2 if fn is narrow else 1e-4
    same = compare(list(found), _wanted(fn), list(found.values()), rtol=tolerance, atol=1e-5)
    assert same, str(same)


@functools.cache
def _wanted(fn: Callable[[Array], Any]) -> list[Any]:
    """Return the results of eager JAX; compiling many small programs would take longer."""
    return [packed(np.asarray(x)) for x in jax.tree.leaves(fn(jnp.asarray(FAMILIES[fn])))]


def _untyped(model: onnx.ModelProto) -> Iterator[str]:
    """Yield the values without a type and shape in the artifact."""
    yield from _in_graph(model.graph)
    for function in model.functions:
        stated = _stated(function.value_info)
        yield from (f"{name} of {function.name}" for name in function.input if name not in stated)
        yield from _in_nodes(function.node, stated)


def _in_graph(graph: onnx.GraphProto) -> Iterator[str]:
    return _in_nodes(graph.node, _stated((*graph.value_info, *graph.output)))


def _in_nodes(nodes: Iterable[onnx.NodeProto], stated: set[str]) -> Iterator[str]:
    for node in nodes:
        yield from (
            f"{name} of {node.op_type}" for name in node.output if name and name not in stated
        )
        for attribute in node.attribute:
            yield from _in_graph(attribute.g)


def _infer(function: onnx.FunctionProto, model: onnx.ModelProto) -> None:
    """Check that a function's value types are those that shape inference finds for its body."""
    stated = {info.name: info for info in function.value_info}
    graph = onnx.helper.make_graph(
        function.node,
        function.name,
        [stated[name] for name in function.input],
        [stated[name] for name in function.output],
        value_info=function.value_info,
    )
    alone = onnx.helper.make_model(
        graph,
        opset_imports=model.opset_import,
        ir_version=model.ir_version,
        functions=model.functions,
    )
    onnx.checker.check_model(alone, full_check=True)


def _scopes(model: onnx.ModelProto) -> Iterator[list[str]]:
    """Yield all names of values and of nodes in the graph and in each function, with bodies."""
    yield [
        *(info.name for info in model.graph.input),
        *(tensor.name for tensor in model.graph.initializer),
        *_names(model.graph.node),
    ]
    for function in model.functions:
        yield [*function.input, *_names(function.node)]
    for nodes in (model.graph.node, *(function.node for function in model.functions)):
        yield [node.name for node in _nested(nodes)]


def _names(nodes: Iterable[onnx.NodeProto]) -> Iterator[str]:
    for node in _nested(nodes):
        yield from filter(None, node.output)
        for attribute in node.attribute:
            yield from (info.name for info in attribute.g.input)
            yield from (tensor.name for tensor in attribute.g.initializer)


def _nested(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            yield from _nested(attribute.g.node)


def _stated(infos: Iterable[onnx.ValueInfoProto]) -> set[str]:
    return {
        info.name
        for info in infos
        if info.type.tensor_type.elem_type and info.type.tensor_type.HasField("shape")
    }
