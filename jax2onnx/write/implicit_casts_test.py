"""A body that reads a number in two types casts it itself."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import pytest
from jax import lax

from jax2onnx.api import to_onnx
from jax2onnx.checks.allclose import allclose

X = np.ones((3, 4), np.float32)


def both(x: jax.Array, n: jax.Array, i: jax.Array) -> Any:
    """Read n and its float in a loop, and its float outside."""
    size = n.astype(jnp.float32)

    def step(state: Any) -> Any:
        count, total = state
        return count + n, total * size + x[i % n]

    return lax.while_loop(lambda state: state[0] * size < 9, step, (jnp.int32(0), x[0]))


def nested(x: jax.Array, n: jax.Array, i: jax.Array) -> Any:
    """Read n and its float in a branch in a loop, and its float outside."""
    size = n.astype(jnp.float32)

    def step(_: Any, total: Any) -> Any:
        return lax.cond(total[0] > n, lambda: total + size, lambda: total * x[i] + 1)

    return lax.fori_loop(0, 3, step, x[0]), size


def vector(x: jax.Array, n: jax.Array, i: jax.Array) -> Any:
    """Read a vector and its float in a loop: the Cast stays outside."""
    numbers = jnp.arange(4) + n
    floats = numbers.astype(jnp.float32)
    return lax.fori_loop(0, i, lambda _, c: c * floats + (numbers % 3 == 0), x[0])


CASES = {"both": (both, 1), "nested": (nested, 1), "vector": (vector, 1)}


@pytest.mark.parametrize("name", CASES)
def test_a_cast_is_copied_into_the_body(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    fn, outside = CASES[name]
    inputs = [X, np.int32(2), np.int32(1)]
    model = to_onnx(fn, inputs)
    onnx.checker.check_model(model, full_check=True)
    found = [n for n in model.graph.node if n.op_type == "Cast"]
    floats = [n for n in found if n.attribute[0].i == onnx.TensorProto.FLOAT]
    assert len(floats) == outside
    assert allclose(fn, model, inputs)
    if name != "vector":
        capfd.readouterr()
        onnxruntime.InferenceSession(model.SerializeToString())
        assert capfd.readouterr().err == ""
