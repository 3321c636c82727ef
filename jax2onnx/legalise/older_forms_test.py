"""Older operator sets compute missing operators with the operators that they have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnx_ir as ir
import pytest
from jax import lax

from jax2onnx.legalise.kernels import load_table
from jax2onnx.legalise.older_forms import older_forms
from jax2onnx.testing.agreement import assert_agrees

OLD = range(13, 21)
X = np.linspace(-2, 3, 24, dtype=np.float32).reshape(2, 3, 4)


def operators(model: onnx.ModelProto) -> set[str]:
    return {node.op_type for node in model.graph.node}


@pytest.mark.parametrize("opset", OLD)
@pytest.mark.parametrize("reduce", [jnp.max, jnp.min, jnp.prod, jnp.mean, jnp.sum])
def test_reductions_along_axes(reduce: Callable[..., jax.Array], opset: int) -> None:
    assert_agrees(lambda x: (reduce(x, (0, 2)), reduce(x), reduce(x, -1)), X, opset=opset)


@pytest.mark.parametrize("opset", [13, 17, 18])
@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint32])
@pytest.mark.parametrize("combine", [lax.bitwise_and, lax.bitwise_or, lax.bitwise_xor])
def test_bitwise_operators_of_integers(combine: Callable[..., Any], kind: Any, opset: int) -> None:
    limits = np.iinfo(kind)
    some = np.array([limits.min, limits.max, 0, 1, 2, 37, limits.max - 5, limits.min + 77], kind)
    x, y = some[:, None], some[None]
    model = assert_agrees(
        lambda x, y: combine(*jnp.broadcast_arrays(x, y)), x, y, opset=opset, double=True
    )
    assert any(name.startswith("Bitwise") for name in operators(model)) == (opset >= 18)


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64, np.uint16, np.uint64])
def test_complements(kind: Any) -> None:
    limits = np.iinfo(kind)
    some = np.array([limits.min, limits.max, 0, 1, 37], kind)
    assert "BitwiseNot" not in operators(assert_agrees(lambda x: ~x, some, opset=13, double=True))


def test_bitwise_operators_of_scalars() -> None:
    assert_agrees(lambda x, y: x & y, np.int32(-3), np.int32(6), opset=13)


@pytest.mark.parametrize("opset", [13, 15])
def test_sizes_are_read_at_run_time(opset: int) -> None:
    def model(x: jax.Array) -> jax.Array:
        return jnp.broadcast_to(x.sum(1, keepdims=True) / x.shape[1], (x.shape[0], x.shape[1] + 1))

    assert_agrees(model, X[0], specs=[("B", "T")], opset=opset)


@pytest.mark.parametrize("opset", [13, 17, 20])
@pytest.mark.parametrize("length", [1, 2, 8, 12])
@pytest.mark.parametrize("transform", [jnp.fft.fft, jnp.fft.ifft])
def test_fourier_transforms(transform: Callable[..., Any], length: int, opset: int) -> None:
    x = np.sin(np.arange(3.0 * length)).reshape(length, 3).astype(np.float32)

    def model(x: jax.Array) -> Sequence[jax.Array]:
        z = transform(x + 0.5j, axis=0)
        return z.real, z.imag

    assert ("DFT" in operators(assert_agrees(model, x, opset=opset))) == (
        opset >= 17 and length > 1
    )


@pytest.mark.parametrize("opset", OLD)
def test_reductions_of_comparisons(opset: int) -> None:
    assert_agrees(lambda x: (jnp.any(x > 2, 1), jnp.all(x > -1, (0, 2))), X, opset=opset)


def test_an_operator_of_the_set_is_not_changed() -> None:
    x = ir.val("x", ir.DataType.INT32, (2,))
    node = ir.node("BitwiseAnd", [x, x])
    graph = ir.Graph([x], node.outputs, nodes=[node], opset_imports={"": 18}, name="graph")
    older_forms(ir.Model(graph, ir_version=8), 18)
    assert list(graph) == [node]


def test_the_table_of_kernels_begins_with_the_oldest_set() -> None:
    assert load_table("cpu").opsets[0] == OLD[0]


@pytest.mark.parametrize("opset", [13, 16, 17, 18])
@pytest.mark.parametrize("kind", ["set", "add", "multiply", "max", "min"])
@pytest.mark.parametrize("rows", [[2, 0, 2, 1], [3, 1, 0, 2]])
def test_scatters(rows: list[int], kind: str, opset: int) -> None:
    def model(x: jax.Array, rows: jax.Array, unique: bool) -> jax.Array:
        update = getattr(x.at[rows], kind)
        changed: jax.Array = update(2 - x[rows] * x[0, 1], unique_indices=unique)
        return changed

    unique, x = len(set(rows)) == len(rows), X.reshape(6, 4)
    assert_agrees(lambda x, i: model(x, i, unique), x, np.array(rows, np.int32), opset=opset)
