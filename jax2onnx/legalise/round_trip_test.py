"""Conversions agree with JAX in types for which ONNX Runtime's CPU provider lacks kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from jax import lax

from jax2onnx.api import to_onnx
from jax2onnx.decorator import onnx_function
from jax2onnx.trace import InputSpec

Array = np.ndarray[Any, Any]

FLOATS = {"bfloat16": 2e-2, "float16": 2e-3}
INTEGERS = ["int8", "int16", "int32", "uint8", "uint16", "uint32"]


@onnx_function
def squares(x: jax.Array) -> jax.Array:
    return x * x + x


def looped(x: jax.Array) -> jax.Array:
    result: jax.Array = lax.fori_loop(0, 3, lambda i, y: y * 3 + x, x)
    return result


def scanned(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    return lax.scan(lambda carry, row: (carry + row, carry * 2), jnp.zeros_like(x[0]), x)


def chosen(x: jax.Array) -> jax.Array:
    result: jax.Array = lax.cond(x.sum() > 3, lambda y: y * 5, lambda y: y - 7, x)
    return result


ANY: dict[str, Callable[[jax.Array], Any]] = {
    "arithmetic": lambda x: (x + x * x - 3, x.max(axis=0), x.min(), x.sum(axis=1)),
    "comparison": lambda x: (x > 2, x == x.T, jnp.where(x < x.T, x, x.T), jnp.clip(x, 1, 5)),
    "moving": lambda x: (
        jnp.broadcast_to(x[:, None], (4, 2, 4)),
        jnp.concatenate([x, x[::-1]]),
        jnp.pad(x, 1),
        jnp.tile(x, (2, 1)),
        x[jnp.array([2, 0])],
        jnp.triu(x),
    ),
    "product": lambda x: x @ x,
    "order": lambda x: (jnp.sort(x, axis=1), jnp.argmax(x, axis=1), lax.top_k(x, 2)),
    "running": lambda x: jnp.cumsum(x, axis=1),
    "sign": lambda x: (jnp.sign(x), jnp.abs(x)),
    "function": lambda x: squares(squares(x)),
    "loop": looped,
    "scan": scanned,
    "branch": chosen,
}
REAL: dict[str, Callable[[jax.Array], Any]] = {
    "elementary": lambda x: (jnp.exp(x), jnp.tanh(x), jnp.log1p(x), jnp.sqrt(x), lax.erf(x)),
    "softmax": lambda x: (jax.nn.softmax(x), jax.nn.gelu(x), jax.nn.silu(x)),
    "normal": lambda x: (x - x.mean(1, keepdims=True)) * lax.rsqrt(x.var(1, keepdims=True) + 1),
    "mixed": lambda x: (x.astype(jnp.float32) @ x.astype(jnp.float32)).astype(x.dtype),
    "convolution": lambda x: lax.conv(
        x[None, None], jnp.ones((1, 1, 2, 2), x.dtype), (1, 1), "SAME"
    ),
    "rounding": lambda x: (jnp.floor(x), jnp.round(x), x % 2),
}


def check(fn: Callable[[jax.Array], Any], x: jax.Array, tolerance: float) -> onnx.ModelProto:
    """Convert a function, run it with float32 inputs and outputs, and compare the results.

    ONNX Runtime cannot take bfloat16 arrays from numpy.
    """

    def as_float32(y: jax.Array) -> Any:
        return jax.tree.map(
            lambda leaf: leaf.astype(jnp.float32) if leaf.dtype == x.dtype else leaf,
            fn(y.astype(x.dtype)),
        )

    feed = np.asarray(x.astype(jnp.float32))
    model = to_onnx(as_float32, [InputSpec(feed.shape, jnp.float32)])
    onnx.checker.check_model(model, full_check=True)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    results = session.run(None, {session.get_inputs()[0].name: feed})
    expected = jax.tree.leaves(jax.jit(as_float32)(feed))
    for result, leaf in zip(results, expected, strict=True):
        wanted = np.asarray(leaf)
        scale = max(1.0, float(np.abs(wanted).max()))
        np.testing.assert_allclose(
            np.asarray(result, np.float64), wanted, rtol=0, atol=tolerance * scale
        )
        assert result.dtype == wanted.dtype
    return model


def numbers(dtype: str) -> jax.Array:
    if dtype in FLOATS:
        values = np.random.default_rng(0).uniform(0.1, 3, (4, 4))
    else:
        values = np.random.default_rng(0).integers(0, 100, (4, 4)).astype(np.float64)
    return jnp.asarray(values).astype(dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", [*ANY, *REAL])
def test_small_floats(name: str, dtype: str) -> None:
    check({**ANY, **REAL}[name], numbers(dtype), FLOATS[dtype])


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", ANY)
def test_integers(name: str, dtype: str) -> None:
    check(ANY[name], numbers(dtype), 0)


def test_an_embedding_is_gathered_before_it_is_widened() -> None:
    table = jnp.asarray(np.arange(12).reshape(6, 2)).astype(jnp.bfloat16)

    def embed(tokens: jax.Array) -> jax.Array:
        return (table[tokens] * 2).astype(jnp.float32)

    model = to_onnx(embed, [InputSpec(("T",), jnp.int32)])
    order = [node.op_type for node in model.graph.node]
    assert order.index("Gather") < order.index("Cast", order.index("Gather"))
    assert [t.data_type for t in model.graph.initializer if list(t.dims) == [6, 2]] == [
        onnx.TensorProto.BFLOAT16
    ]
