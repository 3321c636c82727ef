"""A model for browsers has no bfloat16, and computes the same up to the rounding to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from jax2onnx.api import to_onnx
from jax2onnx.decorator import onnx_function
from jax2onnx.errors import InputError
from jax2onnx.graph.walk import bodies, nested_graphs

X = np.linspace(-2, 2, 24, dtype=np.float32).reshape(3, 8)
WEIGHT = jnp.linspace(-1, 1, 40, dtype=jnp.bfloat16).reshape(8, 5)


def mixed(x: jax.Array) -> jax.Array:
    """Keep the weight narrow and compute in float32."""
    return x @ WEIGHT.astype(jnp.float32)


def narrow(x: jax.Array) -> Any:
    """Compute in bfloat16; its results are an argument, a cast and a number of the model."""
    low = x.astype(jnp.bfloat16)
    hidden = jnp.tanh(low @ WEIGHT) + jnp.bfloat16(0.5)
    return hidden, low, jax.lax.fori_loop(0, 3, lambda _, c: c * jnp.bfloat16(0.5), hidden)


@onnx_function
def marked(x: jax.Array) -> jax.Array:
    return jnp.where(x > 0, x, jnp.full_like(x, 2))


def called(x: jax.Array) -> jax.Array:
    return marked(x.astype(jnp.bfloat16)).astype(jnp.float32)


def types(model: onnx.ModelProto) -> set[ir.DataType | None]:
    """Return the types of all values, and of what attributes state or hold."""
    found: set[ir.DataType | None] = set()
    for body in bodies(ir.from_proto(model)):
        for graph in nested_graphs(body):
            found |= {v.dtype for v in (*graph.inputs, *graph.initializers.values())}
            for node in graph:
                found |= {v.dtype for v in node.outputs}
                found |= {ir.DataType(node.attributes.get_int("to", 1))}
                tensors = [a.value for a in node.attributes.values() if a.name == "value"]
                found |= {t.dtype for t in tensors if isinstance(t, ir.TensorProtocol)}
    return found


@pytest.mark.parametrize("fn", [mixed, narrow, called])
def test_nothing_is_bfloat16(fn: Callable[..., Any]) -> None:
    model = to_onnx(fn, [X], export_mode="web")
    onnx.checker.check_model(model, full_check=True)
    assert ir.DataType.BFLOAT16 in types(to_onnx(fn, [X]))
    assert ir.DataType.BFLOAT16 not in types(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found = session.run(None, {session.get_inputs()[0].name: X})
    for result, expected in zip(found, jax.tree.leaves(fn(X)), strict=True):
        np.testing.assert_allclose(result, expected.astype(np.float32), rtol=0.02, atol=0.02)


def test_a_cast_of_a_weight_is_removed() -> None:
    model = to_onnx(mixed, [X], export_mode="web")
    assert [node.op_type for node in model.graph.node] == ["MatMul"]


def test_inputs_and_weights_in_files_are_widened(tmp_path: Path) -> None:
    class Layer(eqx.Module):
        weight: Any

        def __call__(self, x: Any) -> Any:
            return x @ self.weight

    (tmp_path / "weights").write_bytes(np.asarray(WEIGHT).tobytes())
    tensor = ir.ExternalTensor(
        "weights", 0, 80, ir.DataType.BFLOAT16, shape=ir.Shape((8, 5)), name="weight",
        base_dir=tmp_path,
    )  # fmt: skip
    model = to_onnx(
        Layer(jax.ShapeDtypeStruct((8, 5), jnp.bfloat16)),
        [jax.ShapeDtypeStruct((3, 8), jnp.bfloat16)],
        parameters={"weight": tensor},
        export_mode="web",
    )
    assert types(model) == {ir.DataType.FLOAT}
    (weight,) = model.graph.initializer
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(weight), WEIGHT)


def test_a_newer_operator_set_is_refused() -> None:
    with pytest.raises(InputError, match="operator sets up to 23; leave out opset="):
        to_onnx(mixed, [X], export_mode="web", opset=24)
    to_onnx(mixed, [X], export_mode="web", opset=17)


def test_without_bfloat16_the_model_is_the_same() -> None:
    assert to_onnx(jnp.sin, [X], export_mode="web") == to_onnx(jnp.sin, [X])
