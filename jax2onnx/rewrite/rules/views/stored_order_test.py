from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnx_ir as ir
from flax import nnx
from jax import Array

from jax2onnx.decorator import onnx_function
from jax2onnx.rewrite.rules.arithmetic import neutral
from jax2onnx.rewrite.rules.images import conv_bias
from jax2onnx.rewrite.rules.views import layout, stored_order, transpose
from jax2onnx.testing.rewriting import agreement_with, conversion_with, operator_counts

RULES = (
    neutral,
    conv_bias,
    layout,
    stored_order,
    transpose,
)
assert_agrees = agreement_with(*RULES)
convert = conversion_with(*RULES)

IMAGE = np.random.default_rng(0).standard_normal((2, 3, 8, 8), np.float32)


class Model(nnx.Module):
    def __init__(self) -> None:
        self.conv = nnx.Conv(3, 4, (3, 5), rngs=nnx.Rngs(0))

    def __call__(self, x: Array) -> Array:
        return self.conv(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def test_the_kernel_is_stored_in_the_order_of_conv() -> None:
    model = assert_agrees(Model(), IMAGE, rtol=1e-4, atol=1e-5)
    assert set(operator_counts(model)) == {"Conv"}
    shapes = {i.name: tuple(i.dims) for i in model.graph.initializer}
    assert shapes == {"conv.kernel": (4, 3, 3, 5), "conv.bias": (4,)}


def test_holds_back_where_the_kernel_is_also_read_in_its_own_order() -> None:
    module = Model()

    def both(x: Array) -> tuple[Array, Array]:
        return module(x), module.conv.kernel[...].sum(0)

    model = assert_agrees(both, IMAGE, rtol=1e-4, atol=1e-5)
    assert operator_counts(model)["Transpose"] == 1


class Vectors(nnx.Module):
    """A scale with axes of size 1, and a bias to which they are added."""

    def __init__(self, dtype: Any = np.float32) -> None:
        self.scale = nnx.Param(jnp.linspace(0.5, 2, 3).reshape(1, 1, 1, 3))
        self.bias = nnx.Param(jnp.linspace(-1, 1, 3))
        self.dtype = dtype

    def __call__(self, x: Array) -> Any:
        scale, bias = (p[...].astype(self.dtype) for p in (self.scale, self.bias))
        return x.astype(self.dtype) * scale.reshape(3, 1, 1) + bias[:, None, None]


def shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parameters."""
    stored = {i.name: tuple(i.dims) for i in model.graph.initializer}
    return {name: shape for name, shape in stored.items() if not name.startswith("constant")}


def test_vectors_are_stored_in_the_shape_of_their_readers() -> None:
    model = assert_agrees(Vectors(), IMAGE)
    assert set(operator_counts(model)) == {"Mul", "Add"}
    assert shapes(model) == {"scale": (1, 3, 1, 1), "bias": (1, 3, 1, 1)}


def test_a_cast_parameter_is_stored_in_the_shape_of_its_readers() -> None:
    model = assert_agrees(Vectors(np.float16), IMAGE, rtol=1e-2, atol=1e-2)
    assert not {"Reshape", "Unsqueeze", "Squeeze"} & set(operator_counts(model))
    assert shapes(model) == {"scale": (1, 3, 1, 1), "bias": (1, 3, 1, 1)}


def test_a_matrix_with_an_axis_of_heads_is_stored_as_a_matrix() -> None:
    module = nnx.LinearGeneral(8, (2, 4), rngs=nnx.Rngs(0))
    model = assert_agrees(module, IMAGE[0, 0], rtol=1e-4)
    assert shapes(model) == {"kernel": (8, 8), "bias": (2, 4)}
    assert operator_counts(model)["Reshape"] == 1  # of the result


def test_several_readers_of_one_form_share_the_parameter() -> None:
    module = Vectors()
    model = assert_agrees(lambda x: (module(x), module(2 * x)), IMAGE)
    assert not {"Reshape", "Unsqueeze"} & set(operator_counts(model))
    assert list(shapes(model).values()) == [(1, 3, 1, 1), (1, 3, 1, 1)]


def test_holds_back_where_readers_need_different_forms() -> None:
    module = Vectors()

    def both(x: Array) -> Any:
        return module(x), x.transpose(0, 2, 3, 1) + module.bias[...]

    model = assert_agrees(both, IMAGE)
    assert operator_counts(model)["Unsqueeze"] == 1
    assert sorted(shapes(model).values()) == [(1, 3, 1, 1), (3,)]


def test_a_parameter_that_is_an_output_stays_as_it_is() -> None:
    module = Vectors()
    model = assert_agrees(lambda x: (module(x), module.bias[...]), IMAGE)
    assert sorted(shapes(model).values()) == [(1, 3, 1, 1), (3,)]


def test_a_view_that_is_an_output_is_stored() -> None:
    module = Vectors()
    model = assert_agrees(lambda x: (x, module.bias[...][:, None]), IMAGE)
    assert list(shapes(model).values()) == [(3, 1)]


def test_holds_back_inside_functions() -> None:
    model = assert_agrees(onnx_function(Model().__call__), IMAGE, rtol=1e-4, atol=1e-5)
    assert operator_counts(model)["Transpose"] == 1


def test_holds_back_for_tensors_in_files() -> None:
    kernel = ir.ExternalTensor(
        "weights", 0, 720, ir.DataType.FLOAT, shape=ir.Shape((3, 5, 3, 4)), name="conv.kernel"
    )
    bias = ir.Tensor(np.zeros(4, np.float32), name="conv.bias")
    model = convert(
        nnx.eval_shape(Model),
        [jax.ShapeDtypeStruct(IMAGE.shape, IMAGE.dtype)],
        parameters={"conv.kernel": kernel, "conv.bias": bias},
    )
    assert [n.op_type for n in model.graph.node] == ["Transpose", "Conv"]


def test_the_kernel_is_stored_in_the_order_of_conv_transpose() -> None:
    module = nnx.ConvTranspose(8, 4, (3, 5), (2, 2), rngs=nnx.Rngs(0))
    model = assert_agrees(module, IMAGE.reshape(2, 3, 8, 8), rtol=1e-4, atol=1e-5)
    stored = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    expected = module.kernel[...][::-1, ::-1].transpose(2, 3, 0, 1)
    np.testing.assert_array_equal(stored["kernel"], expected)
    assert "Slice" not in operator_counts(model)


def test_holds_back_where_a_slice_omits_elements() -> None:
    class Rows(nnx.Module):
        def __init__(self) -> None:
            self.weight = nnx.Param(np.arange(64, dtype=np.float32).reshape(8, 8))

        def __call__(self, x: Array) -> Any:
            return x @ self.weight[...][5:1:-1]

    model = assert_agrees(Rows(), IMAGE[0, 0, :, :4], rtol=1e-4)
    assert "weight" in {i.name for i in model.graph.initializer}
    assert operator_counts(model)["Slice"] == 2
