"""Models are converted in inference mode, and agree with each framework's own switch."""

import functools
import threading
from collections.abc import Callable
from typing import Any

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import pytest
from flax import nnx

from jax2onnx.api import to_onnx
from jax2onnx.checks.allclose import allclose
from jax2onnx.decorator import onnx_function
from jax2onnx.errors import StateChangeWarning
from jax2onnx.testing.agreement import operators
from jax2onnx.trace.frameworks.inference import mode

KEY = jax.random.key(0)
X = np.random.default_rng(0).standard_normal((5, 30), dtype=np.float32)
QUICKSTART = ["Gemm", "BatchNormalization", "Gelu", "Gemm"]


def run(model: onnx.ModelProto, **more: Any) -> Any:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {model.graph.input[0].name: X} | more)[0]


def assert_computes(model: onnx.ModelProto, expected: Any) -> None:
    np.testing.assert_allclose(run(model), expected, rtol=1e-4, atol=1e-5)


def weights(model: onnx.ModelProto) -> set[str]:
    return {i.name.rpartition(".")[2] for i in model.graph.initializer}


class MLP(nnx.Module):
    def __init__(self, din: int, dmid: int, dout: int, *, rngs: nnx.Rngs) -> None:
        self.linear1 = nnx.Linear(din, dmid, rngs=rngs)
        self.dropout = nnx.Dropout(rate=0.1, rngs=rngs)
        self.bn = nnx.BatchNorm(dmid, rngs=rngs)
        self.linear2 = nnx.Linear(dmid, dout, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.gelu(self.dropout(self.bn(self.linear1(x))))
        return self.linear2(x)


def trained_mlp() -> MLP:
    """Return the model after a step that changed its running statistics."""
    mlp = MLP(din=30, dmid=20, dout=10, rngs=nnx.Rngs(0))
    mlp(jnp.asarray(X) * 3 + 1)
    return mlp


def evaluated(model: Any) -> Any:
    copy: Any = nnx.clone(model)
    copy.eval()
    return copy(jnp.asarray(X))


def around(model: Any) -> Any:
    """Return a function that has a model in its closure."""

    def function(x: jax.Array) -> Any:
        return model(x)

    return function


MODEL = trained_mlp()
WAYS: dict[str, Any] = {
    "module": MODEL,
    "method": MODEL.__call__,
    "partial": functools.partial(lambda tree, x: tree["a"][0](x), {"a": [MODEL]}),
    "closure": around(MODEL),
    "jit": jax.jit(around(MODEL)),
    "nnx.jit": functools.partial(nnx.jit(lambda model, x: model(x)), MODEL),
    "remat": jax.checkpoint(around(MODEL)),
}


@pytest.mark.parametrize("how", WAYS)
def test_nnx(how: str) -> None:
    before = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(MODEL, nnx.Not(nnx.RngKey))))
    model = to_onnx(WAYS[how], [("B", 30)])
    assert operators(model) == QUICKSTART
    assert weights(model) == {"bias", "kernel", "scale", "mean", "var"}
    assert_computes(model, evaluated(MODEL))
    assert allclose(WAYS[how], model, [X])
    assert MODEL.bn.use_running_average is MODEL.dropout.deterministic is False
    after = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(MODEL, nnx.Not(nnx.RngKey))))
    jax.tree.map(np.testing.assert_array_equal, before, after)


def test_batch_norms_fold_into_products() -> None:
    model = to_onnx(MODEL, [("B", 30)], fold_batch_norm=True)
    assert operators(model) == ["Gemm", "Gelu", "Gemm"]
    assert_computes(model, evaluated(MODEL))


def test_training_is_converted_on_request() -> None:
    with pytest.warns(StateChangeWarning, match=r"bn\.mean.*[\s\S]*training=True, or call model"):
        model = to_onnx(MODEL, [("B", 30)], training=True)
    assert any("threefry" in f.name for f in model.functions)
    assert not allclose(MODEL, model, [X])
    assert allclose(trained_mlp(), model, [X], training=True)


@onnx_function
class Block(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.linear = nnx.Linear(30, 30, rngs=rngs)
        self.norm = nnx.BatchNorm(30, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.dropout(nnx.gelu(self.norm(self.linear(x))))


class Blocks(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.block1, self.block2 = Block(rngs), Block(rngs)

    def __call__(self, x: jax.Array) -> Any:
        return self.block2(self.block1(x))


@pytest.mark.parametrize("closure", [False, True])
def test_blocks_share_a_function(closure: bool) -> None:
    blocks = Blocks(nnx.Rngs(0))
    model = to_onnx(around(blocks) if closure else blocks, [("B", 30)])
    assert operators(model) == ["Block", "Block"]
    (function,) = model.functions
    assert [n.op_type for n in function.node] == QUICKSTART[:3]
    assert not any("key" in name or "count" in name for name in function.input)
    assert_computes(model, evaluated(blocks))


# -- Flax Linen ----------------------------------------------------------------------------------


class ByArgument(nn.Module):
    """A model whose layers get the flag as an attribute or as an argument."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = True) -> jax.Array:
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(20)(x))
        x = nn.Dropout(0.5)(x, deterministic=not train)
        return nn.Dense(10)(nn.gelu(x))


class Required(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        x = nn.BatchNorm()(nn.Dense(20)(x), use_running_average=not train)
        return nn.Dense(10)(nn.gelu(nn.Dropout(0.5, deterministic=not train)(x)))


class ByAttribute(nn.Module):
    train: bool = True

    def setup(self) -> None:
        self.dense, self.out = nn.Dense(20), nn.Dense(10)
        self.norm = nn.BatchNorm(use_running_average=not self.train)
        self.dropout = nn.Dropout(0.5)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.dropout(self.norm(self.dense(x)), deterministic=not self.train)
        y: jax.Array = self.out(nn.gelu(x))
        return y


class HardWired(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.BatchNorm(use_running_average=False)(nn.Dense(20)(x))
        return nn.Dense(10)(nn.gelu(nn.Dropout(0.5, deterministic=False)(x)))


class Outer(nn.Module):
    """Calls a model without the flag that it takes."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return ByArgument(name="inner")(x)


LINEN: dict[str, tuple[Any, dict[str, Any]]] = {
    "argument": (ByArgument(), {}),
    "required": (Required(), {"train": True}),
    "attribute": (ByAttribute(), {}),
    "hard-wired": (HardWired(), {}),
    "nested": (Outer(), {}),
}
RNGS = {"params": KEY, "dropout": KEY}


def given(net: Any, variables: Any) -> dict[str, Callable[[], Any]]:
    return {
        "pair": lambda: (net, variables),
        "bound": lambda: net.bind(variables),
        "method": lambda: net.bind(variables).__call__,
        "apply": lambda: functools.partial(net.apply, variables),
    }


@pytest.mark.parametrize("how", ["pair", "bound", "method", "apply"])
@pytest.mark.parametrize("kind", LINEN)
def test_linen(kind: str, how: str) -> None:
    net, flags = LINEN[kind]
    _, state = net.init_with_output(RNGS, X * 3 + 1, **flags)
    model = to_onnx(given(net, state)[how](), [("B", 30)])
    assert operators(model) == QUICKSTART
    inner = (lambda tree: {c: v["inner"] for c, v in tree.items()}) if kind == "nested" else dict
    names = {"dense": "Dense_0", "out": "Dense_1", "norm": "BatchNorm_0"}
    variables = {
        c: {names.get(k, k): v for k, v in layers.items()} for c, layers in inner(state).items()
    }
    assert_computes(model, ByArgument().apply(variables, X, train=False))


@pytest.mark.parametrize("kind", ["argument", "attribute", "hard-wired", "nested"])
def test_linen_in_a_closure(kind: str) -> None:
    net, _ = LINEN[kind]
    bound = net.bind(net.init(RNGS, X))
    model = to_onnx(around(bound), [("B", 30)])
    assert operators(model) == QUICKSTART
    assert getattr(bound, "train", True) is True


@onnx_function
class LinenBlock(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> Any:
        return nn.Dropout(0.5)(nn.BatchNorm()(nn.Dense(30)(x)))


class LinenBlocks(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> Any:
        return LinenBlock()(LinenBlock()(x))


def test_layers_of_linen_need_no_flag() -> None:
    net = LinenBlocks()
    with mode(training=False):
        variables = net.init(KEY, X)
    model = to_onnx((net, variables), [("B", 30)])
    assert operators(model) == ["LinenBlock"] * 2
    assert [n.op_type for f in model.functions for n in f.node] == ["Gemm", "BatchNormalization"]


# -- Equinox -------------------------------------------------------------------------------------


class Net(eqx.Module):
    linear: eqx.nn.Linear
    dropout: eqx.nn.Dropout
    attention: eqx.nn.MultiheadAttention
    inference: bool = False

    def __init__(self) -> None:
        self.linear = eqx.nn.Linear(30, 30, key=KEY)
        self.dropout = eqx.nn.Dropout(0.5)
        self.attention = eqx.nn.MultiheadAttention(2, 30, dropout_p=0.5, key=KEY)
        self.inference = False

    def __call__(self, x: jax.Array, *, key: Any = None) -> jax.Array:
        x = self.dropout(jax.vmap(self.linear)(x), key=key)
        y: jax.Array = self.attention(x, x, x, key=key)
        return y if self.inference else -y


NET = Net()


@pytest.mark.parametrize(
    "how", [NET, lambda x: NET(x, key=KEY), eqx.filter_jit(NET), functools.partial(NET, key=KEY)]
)
def test_equinox(how: Any) -> None:
    model = to_onnx(how, [(5, 30)])
    assert_computes(model, eqx.nn.inference_mode(NET)(X))
    assert not any("Bit" in operator for operator in operators(model))
    assert NET.dropout.inference is NET.inference is False


class Flagged(eqx.Module):
    @eqx.filter_jit
    def __call__(self, x: jax.Array, key: Any = None, inference: bool = False) -> jax.Array:
        return eqx.nn.Dropout(0.5)(x, key=key, inference=inference) * 2


def test_equinox_under_vmap() -> None:
    assert operators(to_onnx(jax.vmap(Flagged()), [("B", 30)])) == ["Mul"]
    with pytest.raises(RuntimeError, match="Dropout requires a key"):
        to_onnx(lambda x: Flagged()(x, inference=False), [("B", 30)])


def test_batch_norm_of_equinox() -> None:
    norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(30, "batch", mode="batch")
    batched = functools.partial(jax.vmap, in_axes=(0, None), out_axes=(0, None), axis_name="batch")
    x = jnp.asarray(X)
    _, state = batched(norm)(x, state)
    model = to_onnx(lambda x: batched(norm)(x, state)[0], [("B", 30)])
    assert_computes(model, batched(eqx.nn.inference_mode(norm))(x, state)[0])


def test_a_flag_for_dropout_needs_no_key() -> None:
    def model(x: jax.Array, inference: bool) -> jax.Array:
        dropped = jax.vmap(lambda row: eqx.nn.Dropout(0.25)(row, inference=inference))(x)
        return eqx.nn.Dropout(0.5)(dropped, inference=inference)

    ones = np.ones((8, 64), np.float32)
    for callable_, factors in ((eqx.nn.Dropout(0.5), {0, 2}), (model, {0, 8 / 3})):
        converted = to_onnx(callable_, [("B", 64)], {"inference": True})
        assert set(operators(converted)) == {"Dropout", "Div", "Where"}
        session = onnxruntime.InferenceSession(converted.SerializeToString())
        for inference, expected in ((True, {1}), (False, factors)):
            (found,) = session.run(None, {"x": ones, "inference": np.array(inference)})
            assert {round(float(v), 3) for v in found.flat} == {round(v, 3) for v in expected}
        assert allclose(callable_, converted, [ones], {"inference": True})


# -- flags that are arguments of a call ----------------------------------------------------------


def test_an_argument_of_a_call_takes_precedence() -> None:
    norm = nnx.BatchNorm(30, rngs=nnx.Rngs(0))
    mean = norm.mean
    fn = functools.partial(lambda norm, x: norm(x, use_running_average=False), norm)
    with pytest.warns(StateChangeWarning, match=r"mean, var[^L]*If you need"):
        model = to_onnx(fn, [("B", 30)])
    assert "ReduceMean" in operators(model)
    assert norm.mean is mean


def test_an_argument_of_a_linen_module_applies_to_all_nested_calls() -> None:
    net = ByArgument()
    variables = net.init(RNGS, X)
    fn = functools.partial(
        net.apply, variables, train=True, mutable=["batch_stats"], rngs={"dropout": KEY}
    )
    model = to_onnx(lambda x: fn(x)[0], [("B", 30)])
    np.testing.assert_allclose(run(model), fn(X)[0], rtol=1e-4, atol=1e-4)


def test_an_omitted_flag_of_a_signature_has_the_value_of_inference() -> None:
    class Flagged(nnx.Module):
        def __init__(self) -> None:
            self.dropout = nnx.Dropout(0.5, rngs=nnx.Rngs(0))

        def __call__(self, x: jax.Array, train: bool = True) -> jax.Array:
            return self.dropout(x, deterministic=not train) * 2

        def required(self, x: jax.Array, *, deterministic: bool) -> jax.Array:
            return self(x, not deterministic)

    for model in (Flagged(), around(Flagged()), Flagged().required):
        assert operators(to_onnx(model, [("B", 30)])) == ["Mul"]
    asked = to_onnx(Flagged(), [("B", 30)], {"train": False})
    assert operators(asked)[-1] == "If"
    np.testing.assert_array_equal(run(asked, train=np.array(False)), X * 2)


def test_an_array_is_no_flag() -> None:
    class Matching(nn.Module):
        @nn.compact
        def __call__(self, train: jax.Array, test: jax.Array) -> Any:
            return nn.Dropout(0.5, deterministic=False)(train) + test

    model = to_onnx((Matching(), {}), [("B", 30), ("B", 30)])
    assert operators(model) == ["Add"]


# -- the mode itself -----------------------------------------------------------------------------


def test_jits_are_traced_in_each_mode() -> None:
    dropout = eqx.nn.Dropout(0.5)
    jitted = jax.jit(lambda x: dropout(x, key=KEY))
    drawn = jitted(X)
    assert operators(to_onnx(jitted, [X])) == ["Identity"]
    fresh = jax.jit(lambda x: dropout(x, key=KEY))
    assert operators(to_onnx(fresh, [X])) == ["Identity"]
    np.testing.assert_array_equal(jitted(X), drawn)
    np.testing.assert_array_equal(fresh(X), drawn)


def test_other_threads_are_in_training_mode() -> None:
    seen: list[object] = []

    def fn(x: jax.Array) -> jax.Array:
        thread = threading.Thread(target=lambda: seen.append(MODEL.dropout.deterministic))
        thread.start()
        thread.join()
        seen.append(MODEL.dropout.deterministic)
        return x + 1

    to_onnx(fn, [X])
    assert seen == [False, True]


def test_classes_are_restored_even_after_an_error() -> None:
    def fail(x: jax.Array) -> jax.Array:
        assert NET.dropout.inference is True
        layer = nnx.Dropout(0.5)
        layer.deterministic = False
        assert layer.deterministic is MODEL.dropout.deterministic is True
        raise RuntimeError("on purpose")

    call = eqx.nn.Dropout.__call__
    with pytest.raises(RuntimeError, match="on purpose"):
        to_onnx(fail, [X])
    assert eqx.nn.Dropout.__call__ is call
    assert Net.inference is NET.dropout.inference is MODEL.dropout.deterministic is False
    assert not hasattr(nnx.Module, "deterministic")
    assert not hasattr(eqx.Module, "inference")


def test_modules_that_are_created_in_the_trace_keep_their_flags() -> None:
    made: list[Any] = []

    def fn(x: jax.Array) -> jax.Array:
        made.append(eqx.nn.Dropout(0.5))
        y: jax.Array = made[0](x)
        return y

    assert operators(to_onnx(fn, [X])) == ["Identity"]
    assert made[0].inference is False


def test_an_attribute_of_another_type_is_not_changed() -> None:
    class Odd(nnx.Module):
        def __init__(self) -> None:
            self.training = 3.0

        def __call__(self, x: jax.Array) -> jax.Array:
            assert not hasattr(self, "inference")
            return x * self.training

    assert allclose(lambda x: x * 3, to_onnx(Odd(), [X]), [X])


def test_spectral_norms_keep_their_statistics() -> None:
    class Model(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array, **options: bool) -> jax.Array:
            y: jax.Array = nn.SpectralNorm(nn.Dense(3))(x, **options)
            return y

    x = jnp.ones((2, 4))
    variables = Model().init(jax.random.key(0), x, update_stats=True)
    wanted = Model().apply(variables, x, update_stats=False)
    model = to_onnx((Model(), variables), [x])
    assert allclose(lambda x: wanted, model, [x])
