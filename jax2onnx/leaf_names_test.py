"""Leaves of a model may have any name, even names that the converter itself uses."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from flax import nnx
from jax import Array

from jax2onnx import onnx_function, to_onnx

SIZE = 20
"""A size above the limit of constants in a function's body, so that leaves are passed to it."""

NAMES = (
    "constant_0",
    "constant_1",
    "constant",
    "Add",
    "Mul_1",
    "val_0",
    "x_0",
    "dim_B",
    "output_0",
    "input",
)
"""Names that lowering, rewriting, legalising and writing use for values and nodes."""


def table() -> np.ndarray[Any, Any]:
    """Return a new array on each call, so that it is a constant and not a leaf."""
    return np.linspace(-1, 1, SIZE, dtype=np.float32)


def leaf(index: int) -> Array:
    # The first two have equal bytes, and must stay separate parameters.
    return jnp.full((SIZE,), 1.0 + index // 2, jnp.float32)


def compute(get: Any, x: Array) -> Array:
    """Compute with every leaf, small and large constants, and a symbolic size."""
    for index, name in enumerate(NAMES):
        x = x * get(name) + (index + 0.5) + table()
    return x / x.shape[0]


def expected(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    for index in range(len(NAMES)):
        x = x * np.float32(1.0 + index // 2) + np.float32(index + 0.5) + table()
    return np.asarray(x / x.shape[0])


class Pytree(eqx.Module):
    leaves: dict[str, Array]

    def __call__(self, x: Array) -> Array:
        return compute(self.leaves.__getitem__, x)


class Flat(nnx.Module):
    def __init__(self) -> None:
        for index, name in enumerate(NAMES):
            setattr(self, name, nnx.Param(leaf(index)))

    def __call__(self, x: Array) -> Array:
        return compute(lambda name: getattr(self, name)[...], x)


class FlatEquinox(eqx.Module):
    constant_0: Array
    constant_1: Array
    table: Array

    def __call__(self, x: Array) -> Array:
        return (x + self.constant_0) * 3.5 + self.constant_1 * self.table + table()


def leaves() -> dict[str, Array]:
    return {name: leaf(index) for index, name in enumerate(NAMES)}


def run(model: onnx.ModelProto, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    onnx.checker.check_model(model, full_check=True)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {model.graph.input[0].name: x})
    return np.asarray(result)


def closure() -> Any:
    held = leaves()
    return lambda x: compute(held.__getitem__, x)


@onnx_function
class MarkedPytree(Pytree):
    pass


@onnx_function
class MarkedFlat(Flat):
    pass


@onnx_function
class MarkedEquinox(FlatEquinox):
    pass


def marked_closure() -> Any:
    return onnx_function(name="closure")(closure())


@pytest.mark.parametrize(
    "make",
    [
        lambda: Pytree(leaves()),
        lambda: MarkedPytree(leaves()),
        Flat,
        MarkedFlat,
        closure,
        marked_closure,
    ],
    ids=[
        "pytree",
        "pytree in function",
        "flat",
        "flat in function",
        "closure",
        "closure in function",
    ],
)
def test_leaves_with_names_that_the_converter_uses(make: Any) -> None:
    proto = to_onnx(make(), [("B", SIZE)])
    x = np.random.default_rng(0).normal(size=(3, SIZE)).astype(np.float32)
    np.testing.assert_allclose(run(proto, x), expected(x), rtol=1e-5)
    names = [tensor.name for tensor in proto.graph.initializer]
    assert len(set(names)) == len(names)
    if make in (Flat, MarkedFlat):
        # A parameter keeps its path as its name, so a constant of that name is renamed.
        assert set(NAMES) <= set(names)


@pytest.mark.parametrize("kind", [FlatEquinox, MarkedEquinox])
def test_parameters_with_equal_values_stay_separate(kind: Any) -> None:
    same = jnp.ones(SIZE)
    proto = to_onnx(kind(same, same + 0, jnp.arange(SIZE, dtype=jnp.float32)), [(2, SIZE)])
    x = np.zeros((2, SIZE), np.float32)
    wanted = np.broadcast_to(3.5 + np.arange(SIZE, dtype=np.float32) + table(), (2, SIZE))
    np.testing.assert_allclose(run(proto, x), wanted, rtol=1e-6)
    assert {"constant_0", "constant_1", "table"} <= {t.name for t in proto.graph.initializer}


def test_values_of_parameters_are_never_read() -> None:
    class Doubled(eqx.Module):
        constant_0: Array

        def __call__(self, x: Array) -> Array:
            return x * self.constant_0

    # A constant factor 1 is removed, but a parameter that happens to be 1 stays in the graph.
    proto = to_onnx(Doubled(jnp.ones(())), [(2, 3)])
    assert [node.op_type for node in proto.graph.node] == ["Mul"]


def test_leaf_named_like_the_output() -> None:
    class Module(eqx.Module):
        output: Array

        def __call__(self, x: Array) -> Array:
            return x + self.output

    proto = to_onnx(Module(jnp.ones(3)), [(2, 3)])
    np.testing.assert_array_equal(run(proto, np.ones((2, 3), np.float32)), np.full((2, 3), 2.0))
    (tensor,) = proto.graph.initializer
    assert tensor.name != proto.graph.output[0].name


@pytest.mark.parametrize("name", ["constant_0", "Add", "dim_B"])
def test_inputs_and_outputs_with_names_that_the_converter_uses(name: str) -> None:
    def function(x: Array) -> Array:
        return x * 2.5 + table()

    proto = to_onnx(function, [("B", SIZE)], input_names=[name], output_names=["constant_1"])
    x = np.ones((2, SIZE), np.float32)
    np.testing.assert_allclose(run(proto, x), x * 2.5 + table(), rtol=1e-6)
