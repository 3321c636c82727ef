"""``to_onnx`` accepts models and inputs, returns models, and refuses bad input with advice."""

from __future__ import annotations

import functools
from collections import namedtuple
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from flax import nnx

from jax2onnx import (
    InputError,
    InputSpec,
    ModelError,
    StateChangeWarning,
    SymbolicDimensionError,
    allclose,
    onnx_function,
    to_onnx,
)
from jax2onnx.checks.runtime import run
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.conversion import assert_agrees

X = np.linspace(-2, 2, 24, dtype=np.float32).reshape(3, 8)


def initializers(model: onnx.ModelProto) -> set[str]:
    return {i.name for i in model.graph.initializer if not i.name.startswith("constant")}


class Mlp(eqx.Module):
    first: eqx.nn.Linear
    rest: list[eqx.nn.Linear]

    def __init__(self, key: Any) -> None:
        self.first = eqx.nn.Linear(8, 16, key=key)
        self.rest = [eqx.nn.Linear(16, 4, key=key)]

    def __call__(self, x: jax.Array) -> jax.Array:
        def one(row: jax.Array) -> jax.Array:
            last: jax.Array = self.rest[0](jax.nn.relu(self.first(row)))
            return last

        rows: jax.Array = jax.vmap(one)(x)
        return rows


MLP_PATHS = {"first.weight", "first.bias", "rest.0.weight", "rest.0.bias"}


def test_equinox_parameters_are_named_by_their_paths() -> None:
    assert initializers(assert_agrees(Mlp(jax.random.key(0)), X, specs=[("B", 8)])) == MLP_PATHS


def test_a_bound_method_names_parameters_like_its_module() -> None:
    class Net(eqx.Module):
        linear: eqx.nn.Linear

        def encode(self, x: jax.Array) -> jax.Array:
            y: jax.Array = jax.vmap(self.linear)(x)
            return y

    net = Net(eqx.nn.Linear(8, 4, key=jax.random.key(0)))
    assert initializers(assert_agrees(net.encode, X)) == {"linear.weight", "linear.bias"}


def test_nnx_parameters_are_named_by_their_paths() -> None:
    class Net(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.layers = nnx.List([nnx.Linear(8, 4, rngs=rngs)])
            self.norm = nnx.BatchNorm(4, use_running_average=True, rngs=rngs)

        def __call__(self, x: jax.Array) -> jax.Array:
            y: jax.Array = self.norm(self.layers[0](x))
            return y

    model = assert_agrees(Net(nnx.Rngs(0)), X, specs=[("B", 8)])
    assert initializers(model) >= {"layers.0.kernel", "norm.mean"}


@pytest.mark.parametrize("how", ["pair", "bound", "partial"])
def test_linen_parameters_are_named_by_their_paths(how: str) -> None:
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            return nn.Dense(4)(nn.relu(nn.Dense(16)(x)))

    net = Net()
    variables = net.init(jax.random.key(0), X)
    fn: Any = {
        "pair": (net, variables),
        "bound": net.bind(variables),
        "partial": functools.partial(net.apply, variables),
    }[how]
    model = to_onnx(fn, [("B", 8)])
    assert allclose(functools.partial(net.apply, variables), model, [X])
    assert "params.Dense_0.kernel" in initializers(model)


def test_abstract_parameters_are_bound_to_tensors() -> None:
    real = Mlp(jax.random.key(0))
    shapes = eqx.filter_eval_shape(Mlp, jax.random.key(0))
    tensors = {
        "first.weight": real.first.weight,
        "first.bias": real.first.bias,
        "rest.0.weight": real.rest[0].weight,
        "rest.0.bias": real.rest[0].bias,
    }
    model = to_onnx(
        shapes, [("B", 8)], parameters={k: ir.tensor(np.asarray(v)) for k, v in tensors.items()}
    )
    assert allclose(real, model, [X])


def test_an_abstract_parameter_without_a_tensor_is_named() -> None:
    shapes = eqx.filter_eval_shape(Mlp, jax.random.key(0))
    with pytest.raises(InputError, match=r"rest\.0\.bias is abstract"):
        to_onnx(shapes, [("B", 8)])


def test_a_tensor_of_another_shape_is_named() -> None:
    shapes = eqx.filter_eval_shape(Mlp, jax.random.key(0))
    with pytest.raises(InputError, match=r"first\.bias is FLOAT\[16\] in the model, FLOAT\[3\]"):
        to_onnx(shapes, [("B", 8)], parameters={"first.bias": ir.tensor(np.zeros(3, np.float32))})


def test_pytrees_of_inputs_and_outputs_have_stable_names() -> None:
    pair = namedtuple("pair", "low high")

    def fn(batch: dict[str, Any], bias: jax.Array) -> Any:
        return {"sum": batch["a"] + bias, "both": pair(batch["b"].min(), batch["b"].max())}

    model = assert_agrees(fn, {"a": X, "b": X}, X[0], specs=[{"a": ("B", 8), "b": ("B", 8)}, (8,)])
    assert [i.name for i in model.graph.input] == ["batch.a", "batch.b", "bias"]
    assert [o.name for o in model.graph.output] == ["both.low", "both.high", "sum"]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_allclose_compares_narrow_floats(dtype: str) -> None:
    x = jnp.asarray(X, dtype)
    model = to_onnx(lambda x: x.reshape(-1), [x])
    assert allclose(lambda x: x.reshape(-1), model, [x])
    assert "differ" in str(allclose(lambda x: x.reshape(-1) * 2, model, [x]))


def test_the_call_of_keras_export_works(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    inputs = [jax.ShapeDtypeStruct(("batch", 8), np.dtype("float32"))]  # names in a struct
    names = ["keras_tensor"]
    to_onnx(lambda *flat: flat[0] + 1, inputs=inputs, input_names=names, return_mode="file",
            output_path=str(path), opset=22)  # fmt: skip
    (taken,) = onnxruntime.InferenceSession(path).get_inputs()
    assert (taken.name, taken.shape) == ("keras_tensor", ["batch", 8])


@pytest.mark.parametrize("kind", [tuple, InputSpec, lambda s: jax.ShapeDtypeStruct(s, "float32")])
def test_sizes_may_be_numpy_integers(kind: Any) -> None:
    model = to_onnx(lambda x: x * 2, [kind((np.int64(3), np.prod([2, 4])))])
    assert [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [3, 8]


class Empty(NamedTuple):
    pass


class Moments(NamedTuple):
    mean: Any
    rest: Any = Empty()


def test_none_is_an_argument_without_arrays() -> None:
    for inputs in ([None], [None, ("B", 8)]):
        model = to_onnx(lambda a, b=1.0: jnp.float32(a is None) + b, inputs)
        assert len(model.graph.input) == len(inputs) - 1


def test_a_named_tuple_is_not_a_shape() -> None:
    model = to_onnx(lambda x, s: (x + s.mean, s), [("B", 8), Moments((8,))])
    assert [i.name for i in model.graph.input] == ["x", "s.mean"]
    assert allclose(lambda x, s: (x + s.mean, s), model, [("B", 8), Moments((8,))])
    with pytest.raises(InputError, match=r"'s\.mean': 3 is no input specification"):
        to_onnx(lambda x, s: x, [("B", 8), Moments(3, 4)])


def test_the_functional_form_of_nnx_names_arrays_like_the_module() -> None:
    class Net(nnx.Module):
        def __init__(self) -> None:
            self.linear = nnx.Linear(8, 4, rngs=nnx.Rngs(0))

        def __call__(self, x: jax.Array) -> jax.Array:
            y: jax.Array = self.linear(x)
            return y

    graph, state = nnx.split(Net())
    model = assert_agrees(lambda x: -nnx.merge(graph, state)(x), X)
    assert initializers(model) == {"linear.kernel", "linear.bias"}
    model = to_onnx(lambda s, x: (nnx.merge(graph, s)(x), s), [state, ("B", 8)])
    assert [i.name for i in model.graph.input] == ["s.linear.bias", "s.linear.kernel", "x"]
    outputs = ["output_0", "output_1.linear.bias", "output_1.linear.kernel"]
    assert [o.name for o in model.graph.output] == outputs


def test_unused_inputs_stay_and_returned_inputs_are_copied() -> None:
    model = assert_agrees(lambda x, y: (x, x, 3.0), X, X)
    assert [i.name for i in model.graph.input] == ["x", "y"]
    assert operators(model) == ["Identity"] * 3


def test_a_function_without_inputs() -> None:
    assert_agrees(lambda: jnp.arange(4) * 2)


def test_names_of_inputs_and_outputs_can_be_chosen() -> None:
    model = assert_agrees(lambda x: x + 1, X, input_names=["pixels"], output_names=["logits"])
    assert (model.graph.input[0].name, model.graph.output[0].name) == ("pixels", "logits")


def test_a_keyword_argument_becomes_an_input() -> None:
    def fn(x: jax.Array, *, scale: float) -> jax.Array:
        return x * scale

    model = to_onnx(fn, [("B", 8)], {"scale": np.float32(2)})
    assert [i.name for i in model.graph.input] == ["x", "scale"]
    assert allclose(fn, model, [X], {"scale": np.float32(3)})


def test_inputs_of_64_bit_integers_keep_their_type() -> None:
    model = to_onnx(lambda ids: ids + 1, [InputSpec(("B",), np.int64)])
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.INT64


def test_double_precision() -> None:
    model = assert_agrees(jnp.sin, X.astype(np.float64), double=True, rtol=1e-12)
    assert model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE


@pytest.mark.parametrize("opset", [21, 22, 23, 24])
def test_every_opset_runs(opset: int) -> None:
    model = assert_agrees(Mlp(jax.random.key(0)), X, opset=opset)
    assert {i.domain: i.version for i in model.opset_import} == {"": opset}


def test_the_file_is_written_and_its_path_returned(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    written = to_onnx(lambda x: x + 1, [X], return_mode="file", output_path=path)
    assert written == str(path)
    assert allclose(lambda x: x + 1, path, [X])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"opset": 7}, "opset=7"),
        ({"opset": 23.0}, "opset=23.0"),
        ({"constraints": "B <= 3"}, "give a list"),
        ({"return_mode": "text"}, "return_mode='text'"),
        ({"prefer": "size"}, "prefer='size'"),
        ({"return_mode": "file"}, "go together"),
        ({"output_path": "x.onnx"}, "go together"),
        ({"input_names": ["a", "b"]}, "2 names for 1 inputs"),
        ({"output_names": ["a", "b"]}, "2 names for 1 outputs"),
        ({"input_names": "x"}, "input_names='x': give a list of names"),
        ({"input_names": [""]}, "none of them empty"),
        ({"output_names": [3]}, "output_names=.*: give a list of names"),
        ({"input_params": ["deterministic"]}, "give a dictionary of keyword arguments"),
        ({"constraints": ("nonsense !",)}, "constraints="),
    ],
)
def test_a_malformed_option_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        to_onnx(lambda x: x, [("B", 8)], **options)


@pytest.mark.parametrize(
    "inputs", ["B", None, 8, ("B", 8), [8], [object()], [("B B", 8)], [("B", -1)], {"x": (1,)}]
)
def test_a_malformed_input_is_named(inputs: Any) -> None:
    with pytest.raises(InputError, match="input"):
        to_onnx(lambda x: x, inputs)


def test_names_that_clash_are_refused() -> None:
    with pytest.raises(InputError, match=r"'a' names both the graph's input and its output"):
        to_onnx(lambda x: x + 1, [X], input_names=["a"], output_names=["a"])
    with pytest.raises(InputError, match=r"'first\.bias' names both the graph's parameter"):
        to_onnx(Mlp(jax.random.key(0)), [X], input_names=["first.bias"])


def test_default_names_do_not_clash() -> None:
    model = assert_agrees(lambda output: output + 1, X)
    assert (model.graph.input[0].name, model.graph.output[0].name) == ("output", "output_1")


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"no parameter 'first\.biass' \(did you mean 'first\.bias'"
    ):
        to_onnx(Mlp(jax.random.key(0)), [X], parameters={"first.biass": ir.tensor(X)})


@pytest.mark.parametrize(
    ("fn", "inputs", "message"),
    [
        (3, [X], "must be callable"),
        (lambda x: x, [X, X], "2 positional"),
        (jnp.dot, [X], "1 positional"),
        (eqx.nn.Linear, [X], "is the class Linear"),
        (nn.Dense(4), [X], "has no variables"),
        ((nn.Dense(4), {"kernel": X}), [X], r'what its init returns: .*"params"'),
        ((nn.Dense(4), None), [X], "must be what its init returns"),
        ((nn.Sequential([nn.Dense(4)]), {"layers_0": {}}), [X], "all that the module's init"),
        (nn.Dense(4).apply, [X], r"functools\.partial\(module\.apply, variables\)"),
        ("model:fn", [X], "must be callable"),
        (lambda x: x, [("B", None)], "open by a name"),
        (lambda x: x, [np.array(["a"])], "no tensors of"),
    ],
)
def test_bad_models_and_inputs_are_refused(fn: Any, inputs: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        to_onnx(fn, inputs)


@pytest.mark.parametrize("fn", [lambda x: None, np.sin, lambda x: {"a": x, "b": "text"}])
def test_a_function_that_returns_no_array_is_refused(fn: Any) -> None:
    with pytest.raises(ModelError, match=r"no array|concrete value|returns 'text', a str"):
        to_onnx(fn, [X])


def test_an_error_on_a_symbolic_dimension_has_the_line_and_advice() -> None:
    def fn(x: jax.Array) -> jax.Array:
        return x if x.shape[0] > 4 else -x

    with pytest.raises(SymbolicDimensionError, match=r"api_test\.py:\d+ \(fn\)[\s\S]*constraints="):
        to_onnx(fn, [("B", 8)])
    to_onnx(fn, [("B", 8)], constraints=("B >= 5",))


def test_a_constraint_names_an_expression_of_sizes_in_every_shape() -> None:
    @onnx_function
    def doubled(x: jax.Array) -> jax.Array:
        return 2 * x

    def fn(total: jax.Array, past: jax.Array, new: jax.Array) -> tuple[jax.Array, jax.Array]:
        return doubled(jnp.concatenate([past, new])) * total, jnp.concatenate([past, new, new])

    model = to_onnx(fn, [("S",), ("P",), ("T",)], constraints=["S == P + T", "P >= T"])
    dims = {i.name: i.type.tensor_type.shape.dim[0].dim_param for i in model.graph.input}
    assert dims == {"total": "S", "past": "P", "new": "T"}
    dims = {o.name: o.type.tensor_type.shape.dim[0].dim_param for o in model.graph.output}
    assert dims == {"output_0": "S", "output_1": "2*T + P"}
    assert "T + P" not in {
        d.dim_param for i in model.graph.value_info for d in i.type.tensor_type.shape.dim
    }
    a, b = np.ones(3, np.float32), np.ones(2, np.float32)
    feeds = {"total": np.arange(5, dtype=np.float32), "past": a, "new": b}
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert np.array_equal(run(session, feeds)["output_0"], 2 * np.arange(5))


def test_an_error_on_a_traced_value_has_the_line() -> None:
    def fn(x: jax.Array) -> jax.Array:
        return x if x.sum() > 0 else -x

    with pytest.raises(ModelError, match=r"api_test\.py:\d+ \(fn\)"):
        to_onnx(fn, [("B", 8)])


def test_modules_with_random_state_convert() -> None:
    class Net(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.linear = nnx.Linear(8, 4, rngs=rngs)
            self.dropout = nnx.Dropout(0.5, rngs=rngs)

        def __call__(self, x: jax.Array) -> jax.Array:
            y: jax.Array = self.dropout(self.linear(x))
            return y

    net = Net(nnx.Rngs(0))
    assert initializers(assert_agrees(net, X, specs=[("B", 8)])) == {"linear.kernel", "linear.bias"}


def test_a_random_key_gives_jaxs_numbers() -> None:
    key = jax.random.key(3)
    model = to_onnx(lambda k: jax.random.bits(k, (4,)), [key])
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (found,) = session.run(None, {"k": np.asarray(jax.random.key_data(key))})
    np.testing.assert_array_equal(found, jax.random.bits(key, (4,)))


def test_an_error_of_the_model_has_a_note_with_the_inputs() -> None:
    with pytest.raises(TypeError) as caught:
        to_onnx(nnx.Linear(8, 4, rngs=nnx.Rngs(0)), [("B", 7)])
    assert "jax2onnx called fn with inputs: float32[B, 7]." in caught.value.__notes__


def test_a_stateful_module_in_a_closure_is_explained() -> None:
    norm = nnx.BatchNorm(8, rngs=nnx.Rngs(0))
    with pytest.raises(flax.errors.TraceContextError) as caught:
        to_onnx(lambda x: norm(x) + 1, [("B", 8)], training=True)
    assert any("must be given itself" in note for note in caught.value.__notes__)
    with pytest.warns(StateChangeWarning, match="mean, var"):
        assert_agrees(norm, X, training=True)


def test_dimensions_that_are_returned_are_computed_in_the_graph() -> None:
    def fn(x: jax.Array) -> Any:
        return x.shape[0], x.size, x.shape[1], x.sum(), {"twice": 2 * x.shape[0] + 1}

    model = assert_agrees(fn, X, specs=[("B", 8)])
    types = [o.type.tensor_type for o in model.graph.output]
    assert [t.elem_type for t in types] == [7, 7, 7, 1, 7]
    assert all(not t.shape.dim for t in types)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found = session.run(None, {"x": np.zeros((5, 8), np.float32)})
    assert [int(f) for f in found] == [5, 40, 8, 0, 11]


def test_a_dimension_that_is_returned_beside_a_branch() -> None:
    def fn(x: jax.Array, flag: bool) -> Any:
        return (x if flag else -x), x.shape[0]

    model = to_onnx(fn, [("B", 8)], {"flag": True})
    for flag in (True, False):
        assert allclose(fn, model, [X], {"flag": flag})


def test_a_struct_may_have_names_in_its_shape() -> None:
    spec = jax.ShapeDtypeStruct(("B", 64), jnp.int32)
    model = to_onnx(lambda ids: ids + 1, [spec])
    (given,) = model.graph.input
    assert [d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim] == ["B", 64]
    assert given.type.tensor_type.elem_type == onnx.TensorProto.INT32
    assert allclose(lambda ids: ids + 1, model, [np.ones((3, 64), np.int32)])
    bad = jax.ShapeDtypeStruct(("B!", 64), jnp.int32)
    with pytest.raises(InputError, match="B!"):
        to_onnx(lambda ids: ids + 1, [bad])


def test_a_tracer_that_leaked_into_the_model_is_refused() -> None:
    class Leaky(nnx.Module):
        def __init__(self) -> None:
            self.table = nnx.data([jnp.ones(8)])

    leaked: list[jax.Array] = []
    jax.eval_shape(lambda x: leaked.append(x + 1), jnp.ones(8))
    with pytest.raises(ModelError, match="another JAX trace"):
        to_onnx(lambda x: x * leaked[0], [X])


def conv(x: jax.Array) -> jax.Array:
    kernel = jnp.ones((3, 3, x.shape[-1], 4), x.dtype)
    dims = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=dims)


@pytest.mark.parametrize(
    ("chosen", "options"), [([0], {}), (["x"], {}), (["pixels"], {"input_names": ["pixels"]})]
)
def test_images_can_be_channels_first_in_the_graph(chosen: Any, options: dict[str, Any]) -> None:
    layout: dict[str, Any] = {"inputs_as_nchw": chosen, "outputs_as_nchw": [0]}
    model = to_onnx(conv, [("B", 6, 5, 3)], **layout, **options)
    assert operators(model) == ["Conv"]
    assert [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [0, 3, 6, 5]
    assert [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim] == [0, 4, 6, 5]
    x = np.random.default_rng(0).random((2, 6, 5, 3), np.float32)
    assert allclose(conv, model, [x], **layout)


def test_one_of_several_inputs_can_be_channels_first() -> None:
    def fn(batch: dict[str, Any], scale: jax.Array) -> Any:
        return {"image": batch["image"] * scale, "label": batch["label"]}

    specs = [{"image": (2, 3, 4, 5), "label": (2,)}, ()]
    layout: dict[str, Any] = {"inputs_as_nchw": ["batch.image"], "outputs_as_nchw": ["image"]}
    model = to_onnx(fn, specs, **layout)
    assert allclose(fn, model, specs, **layout)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs_as_nchw": [1]}, r"there is no 1; choose of \['x'\] by name, or by index from 0"),
        ({"inputs_as_nchw": [-1]}, "there is no -1"),
        ({"inputs_as_nchw": ["y"]}, "there is no 'y'"),
        ({"inputs_as_nchw": "x"}, "a list of indices or names"),
        ({"outputs_as_nchw": [True]}, "outputs_as_nchw: there is no True"),
        ({"outputs_as_nchw": ["label"]}, "there is no 'label'"),
    ],
)
def test_a_layout_of_a_missing_tensor_is_refused(options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        to_onnx(conv, [("B", 6, 5, 3)], **options)


def test_only_images_have_a_layout() -> None:
    with pytest.raises(InputError, match=r"'x' has the shape \(B, 8\); only an image"):
        to_onnx(lambda x: x, [("B", 8)], inputs_as_nchw=[0])


class Dropped(nnx.Module):
    def __init__(self) -> None:
        rngs = nnx.Rngs(0)
        self.linear = nnx.Linear(8, 8, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x: jax.Array, deterministic: bool = False, scale: float = 1.0) -> jax.Array:
        y: jax.Array = self.dropout(self.linear(x), deterministic=deterministic) * scale
        return y


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_flag_that_python_branches_on_becomes_an_if(deterministic: bool) -> None:
    model = to_onnx(Dropped(), [("B", 8)], {"deterministic": True, "scale": 2.0})
    types = {i.name: i.type.tensor_type.elem_type for i in model.graph.input}
    assert types == {"x": 1, "deterministic": onnx.TensorProto.BOOL, "scale": 1}
    assert operators(model)[-1] == "If"
    given = {"deterministic": deterministic, "scale": np.float32(3)}
    assert allclose(Dropped(), model, [X], given)


def test_several_flags() -> None:
    def fn(x: jax.Array, *, double: bool, negate: bool) -> jax.Array:
        x = x * 2 if double else x
        return -x if negate else x

    model = to_onnx(fn, [("B", 8)], {"negate": True, "double": False})
    for double in (False, True):
        for negate in (False, True):
            assert allclose(fn, model, [X], {"negate": negate, "double": double})


def test_a_flag_that_python_does_not_branch_on_makes_no_if() -> None:
    model = to_onnx(lambda x, flip: jnp.where(flip, -x, x), [("B", 8)], {"flip": True})
    assert operators(model) == ["Neg", "Where"]


def test_a_flag_whose_other_value_cannot_be_traced_is_explained() -> None:
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array, deterministic: bool) -> jax.Array:
            y: jax.Array = nn.Dropout(0.5)(nn.Dense(4)(x), deterministic=deterministic)
            return y

    net = Net()
    variables = net.init(jax.random.key(0), X, True)
    with pytest.raises(ModelError, match=r"deterministic=False: .*PRNG[\s\S]*functools\.partial"):
        to_onnx((net, variables), [("B", 8)], {"deterministic": True})
    fixed = functools.partial(net.apply, variables, deterministic=True)
    assert operators(assert_agrees(fixed, X)) == ["Gemm"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "train"}, r"input_params= gives \['mode'\]"),
        ({"scale": "big"}, "'scale': ONNX has no tensors of"),
        ({"scale": None}, "'scale': ONNX has no tensors of"),
        ({"x": 1.0}, "multiple values"),
    ],
)
def test_a_malformed_input_param_is_named(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        to_onnx(lambda x, scale=1: x * scale, [("B", 8)], given)


def test_a_keyword_that_is_a_size_cannot_be_an_input() -> None:
    with pytest.raises(ModelError, match=r"functools\.partial\(fn, k=\.\.\.\)"):
        to_onnx(lambda x, k: x.reshape(k, -1), [(4, 8)], {"k": 2})


def test_the_result_of_allclose_unpacks_into_verdict_and_message() -> None:
    model = to_onnx(lambda x: x + 1, [("B", 8)])
    is_match, message = allclose(lambda x: x + 1, model, [("B", 8)])
    assert is_match, message
    is_match, message = allclose(lambda x: x + 2, model, [("B", 8)], None, 1e-3, 1e-5)
    assert not is_match
    assert message.startswith("output: 16 of 16 values differ")


def test_a_random_key_is_compared_as_its_integers() -> None:
    key = jax.random.key(3)
    model = to_onnx(lambda k: jax.random.bits(k, (4,)), [key])
    assert allclose(lambda k: jax.random.bits(k, (4,)), model, [key])


def test_integers_are_compared_exactly() -> None:
    model = to_onnx(lambda x: x + 1, [InputSpec((1,), np.int64)], enable_double_precision=True)
    given: dict[str, Any] = {"enable_double_precision": True}
    assert allclose(lambda x: x + 1, model, [np.array([2**62])], **given)
    assert not allclose(lambda x: x + 2, model, [np.array([2**62])], **given)


def test_the_state_of_equinox_layers_is_named_by_their_paths() -> None:
    class Net(eqx.Module):
        norms: list[eqx.nn.BatchNorm]

        def __init__(self) -> None:
            self.norms = [eqx.nn.BatchNorm(8, axis_name="batch", mode="ema") for _ in range(2)]

        def __call__(self, x: jax.Array, state: eqx.nn.State) -> Any:
            for norm in self.norms:
                x, state = norm(x, state)
            return x, state

    net, state = eqx.nn.make_with_state(Net)()
    batched = jax.vmap(
        eqx.nn.inference_mode(net), axis_name="batch", in_axes=(0, None), out_axes=(0, None)
    )
    kept = initializers(assert_agrees(lambda x: batched(x, state)[0], X, specs=[("B", 8)]))
    assert {"state.norms.1.ema_state_index.0", "norms.1.weight"} <= kept
    model = assert_agrees(batched, X, state)
    inputs = [i.name for i in model.graph.input]
    assert inputs[:2] == ["x", "state.norms.0.ema_first_time_index"]


def test_the_carry_of_a_cell_is_input_and_output() -> None:
    cell = nnx.LSTMCell(8, 4, rngs=nnx.Rngs(0))
    carry = np.zeros((3, 4), np.float32), np.ones((3, 4), np.float32)
    model = assert_agrees(cell.__call__, carry, X, specs=[(("B", 4), ("B", 4)), ("B", 8)])
    assert [i.name for i in model.graph.input] == ["carry.0", "carry.1", "inputs"]
    assert [o.name for o in model.graph.output] == ["output_0.0", "output_0.1", "output_1"]


class Meshed(nnx.Module):
    """A module with a parameter on a mesh, which reads the sharding of its values."""

    def __init__(self, mesh: Any) -> None:
        spec = jax.sharding.PartitionSpec(None, "fsdp")
        sharding = jax.sharding.NamedSharding(mesh, spec)
        self.w = nnx.Param(jax.device_put(jnp.ones((8, 3)), sharding))

    def __call__(self, x: jax.Array) -> Any:
        y = x @ self.w[...]
        one = jax.sharding.reshard(jnp.ones((1, 8)), jax.typeof(x).sharding)
        return y + jax.sharding.reshard(jnp.ones((1, 3)), jax.typeof(y).sharding), x + one


@pytest.mark.parametrize("way", [lambda m: m, lambda m: m.__call__, jax.jit])
def test_values_are_on_the_current_mesh(way: Any) -> None:
    mesh = jax.make_mesh((1,), ("fsdp",), axis_types=(jax.sharding.AxisType.Explicit,))
    with jax.set_mesh(mesh):
        model = assert_agrees(way(Meshed(mesh)), X, specs=[("B", 8)])
    assert sorted(operators(model)) == ["Add", "Add", "MatMul"]
