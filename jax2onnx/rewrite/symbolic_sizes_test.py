"""Rules work with symbolic sizes of any form, and keep JAX's spelling of them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from jax import Array

from jax2onnx.api import to_onnx
from jax2onnx.errors import InputError
from jax2onnx.testing.conversion import assert_agrees
from jax2onnx.testing.rewriting import operator_counts

RANDOM = np.random.default_rng(0)


def array(*shape: int) -> np.ndarray[Any, Any]:
    return RANDOM.standard_normal(shape).astype(np.float32)


def dimensions(value: onnx.ValueInfoProto) -> list[int | str]:
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def normalised(x: Array) -> Array:
    """Compute a layer norm, an MLP on all rows, and self-attention of the rows."""
    centred = x - x.mean(-1, keepdims=True)
    x = centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    x = x.reshape(-1, 8) @ np.ones((8, 8), np.float32) + np.ones(8, np.float32)
    shares = jax.nn.softmax(x @ x.T / 8.0, axis=-1)
    return shares @ x


@pytest.mark.parametrize(
    ("spec", "shape", "expected"),
    [
        (("4*h", 8), (12, 8), ["4*h", 8]),
        (("h", "w", 8), (3, 5, 8), ["h*w", 8]),
        (("T", "B", 8), (3, 5, 8), ["B*T", 8]),
        (("T + 1", 8), (4, 8), ["T + 1", 8]),
        (("2*T", "B", 3, 8), (4, 5, 3, 8), ["6*B*T", 8]),
    ],
)
def test_sizes_of_every_form_survive(spec: Any, shape: Any, expected: Any) -> None:
    x = array(*shape)
    model = assert_agrees(normalised, x, specs=[spec], rtol=1e-4, atol=1e-4)
    assert dimensions(model.graph.output[0]) == expected
    found = operator_counts(model)
    assert found["LayerNormalization"] == found["Softmax"] + found["Attention"] == 1


def test_half_of_a_size_survives() -> None:
    def halves(x: Array) -> Array:
        y = x[: x.shape[0] // 2]
        return jax.nn.softmax(y.reshape(y.shape[0], 2, 4).reshape(y.shape[0], 8), axis=-1)

    model = assert_agrees(halves, array(5, 8), specs=[("T", 8)])
    assert dimensions(model.graph.output[0]) == ["floordiv(T, 2)", 8]
    assert operator_counts(model)["Reshape"] == 0


def test_an_axis_that_is_split_into_a_size_and_a_number() -> None:
    """``3*T`` is split into 3 and T, permuted, and merged again."""

    def heads(x: Array) -> Array:
        rows = x.reshape(3, -1, 8).swapaxes(0, 1)
        return jax.nn.gelu(rows.swapaxes(0, 1).reshape(x.shape))

    model = assert_agrees(heads, array(6, 8), specs=[("3*T", 8)])
    assert operator_counts(model) == {"Gelu": 1}
    assert dimensions(model.graph.output[0]) == ["3*T", 8]


@pytest.mark.parametrize("name", ["T*2", "2*T"])
def test_a_dimension_may_be_an_expression(name: str) -> None:
    model = assert_agrees(normalised, array(6, 8), specs=[(name, 8)], rtol=1e-4, atol=1e-4)
    assert dimensions(model.graph.input[0]) == ["2*T", 8]


def test_a_dimension_whose_name_is_a_number_is_that_number() -> None:
    model = assert_agrees(normalised, array(10, 8), specs=[("10", 8)], rtol=1e-4, atol=1e-4)
    assert dimensions(model.graph.input[0]) == [10, 8]


@pytest.mark.parametrize("name", ["T 2", "T*", "1.5", "T/2", ""])
def test_an_invalid_name_of_a_dimension_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="A dimension is an int, or a name"):
        to_onnx(normalised, [(name, 8)])


def test_recurrence_of_unknown_width_stays_a_loop() -> None:
    """ONNX's RNN has its hidden size as an attribute, which has to be a number."""

    def rnn(xs: Array, w: Array, r: Array) -> Array:
        def step(h: Array, x: Array) -> tuple[Array, Array]:
            h = jnp.tanh(x @ w + h @ r)
            return h, h

        return jax.lax.scan(step, jnp.zeros((xs.shape[1], r.shape[0])), xs)[1]

    specs = [("T", 2, 3), (3, "h"), ("h", "h")]
    model = assert_agrees(rnn, array(5, 2, 3), array(3, 4), array(4, 4), specs=specs)
    assert operator_counts(model)["RNN"] == 0
    known = assert_agrees(rnn, array(5, 2, 3), array(3, 4), array(4, 4))
    assert operator_counts(known)["RNN"] == 1


def test_a_sum_divided_by_a_size_times_another_value_is_not_a_mean() -> None:
    def function(x: Array, k: Array) -> Array:
        return x.sum(0) / (x.shape[0] * k[0])

    model = assert_agrees(
        function, array(6, 8), np.full(2, 5.0, np.float32), specs=[("B", 8), (2,)]
    )
    assert operator_counts(model)["ReduceMean"] == 0
