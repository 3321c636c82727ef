"""Equal blocks with different weights share one ONNX function, in every library."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnx.inliner
import onnx_ir as ir
import onnxruntime
import pytest
from flax import nnx
from onnx_ir.passes.common import InlinePass

from jax2onnx import InputError, StateChangeWarning, allclose, onnx_function, to_onnx
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.conversion import assert_agrees

X = np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 8)
KEY = jax.random.key(0)


@onnx_function
class EqxBlock(eqx.Module):
    linear: eqx.nn.Linear
    scale: jax.Array

    def __init__(self, key: Any) -> None:
        self.linear = eqx.nn.Linear(8, 8, key=key)
        self.scale = jnp.full(8, 0.5)

    def __call__(self, x: jax.Array) -> jax.Array:
        return x + jnp.tanh(jax.vmap(self.linear)(x)) * self.scale


class EqxStack(eqx.Module):
    blocks: list[EqxBlock]

    def __call__(self, x: jax.Array) -> jax.Array:
        for block in self.blocks:
            x = block(x)
        return x


def test_instances_of_one_class_share_one_function() -> None:
    keys = jax.random.split(jax.random.key(0), 3)
    stack = EqxStack([EqxBlock(k) for k in keys])
    model = assert_agrees(stack, X, specs=[("B", 8)])
    assert operators(model) == ["EqxBlock"] * 3
    assert [f.name for f in model.functions] == ["EqxBlock"]
    assert list(model.functions[0].input) == ["linear.weight", "linear.bias", "scale", "x"]
    assert {i.name for i in model.graph.initializer} >= {"blocks.1.linear.weight"}


def test_nnx_modules_share_one_function() -> None:
    @onnx_function(namespace="my.blocks", name="Mixer")
    class NnxBlock(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.linear = nnx.Linear(8, 8, rngs=rngs)

        def __call__(self, x: jax.Array) -> jax.Array:
            return x + nnx.relu(self.linear(x))

    class NnxStack(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.blocks = nnx.List([NnxBlock(rngs), NnxBlock(rngs)])

        def __call__(self, x: jax.Array) -> jax.Array:
            for block in self.blocks:
                x = block(x)
            return x

    model = assert_agrees(NnxStack(nnx.Rngs(0)), X, specs=[("B", 8)])
    assert operators(model) == ["Mixer", "Mixer"]
    assert [(f.domain, f.name) for f in model.functions] == [("my.blocks", "Mixer")]


def test_unique_false_gives_each_call_its_own_function() -> None:
    @onnx_function(unique=False)
    def double(x: jax.Array) -> jax.Array:
        return x * 2

    model = assert_agrees(lambda x: double(double(x)), X)
    assert [f.name for f in model.functions] == ["double", "double_1"]


def test_different_shapes_get_different_functions() -> None:
    @onnx_function
    def total(x: jax.Array) -> jax.Array:
        return x.sum()

    model = assert_agrees(lambda x: total(x) + total(x[:2]), X)
    assert [f.name for f in model.functions] == ["total", "total_1"]


def test_functions_nest() -> None:
    @onnx_function
    def inner(x: jax.Array) -> jax.Array:
        return jnp.sin(x)

    @onnx_function
    def outer(x: jax.Array) -> jax.Array:
        return inner(x) + inner(x + 1)

    model = assert_agrees(outer, X, specs=[("B", 8)])
    assert sorted(f.name for f in model.functions) == ["inner", "outer"]


def test_a_dimension_that_no_input_has_is_passed_as_an_input() -> None:
    @onnx_function
    def scaled(row: jax.Array, like: jax.Array) -> jax.Array:
        return row * like.shape[0]

    def fn(x: jax.Array) -> jax.Array:
        return scaled(x[0], x)

    assert_agrees(fn, X, specs=[("B", 8)])


def test_a_function_inside_a_loop() -> None:
    @onnx_function
    def step(x: jax.Array) -> jax.Array:
        return x * 0.5 + 1

    assert_agrees(lambda x: jax.lax.fori_loop(0, 4, lambda _, c: step(c), x), X, specs=[("B", 8)])


def test_vmapped_calls_share_one_function() -> None:
    @onnx_function
    def norm(x: jax.Array) -> jax.Array:
        return x / jnp.sqrt((x * x).sum())

    model = assert_agrees(lambda x: jax.vmap(norm)(x) + jax.vmap(norm)(x * 2), X, specs=[("B", 8)])
    assert len(model.functions) == 1


@pytest.mark.parametrize("option", [{"namespace": "a b"}, {"name": "x/y"}])
def test_an_invalid_onnx_name_is_refused(option: dict[str, str]) -> None:
    with pytest.raises(InputError, match="must be letters"):
        onnx_function(**option)(lambda x: x)  # type: ignore[call-overload]


@pytest.mark.parametrize("namespace", ["ai.onnx", "ai.onnx.ml", "com.microsoft"])
def test_a_namespace_of_operators_is_refused(namespace: str) -> None:
    with pytest.raises(InputError, match="own operators"):
        onnx_function(namespace=namespace, name="Relu")(jnp.sin)


# -- Flax Linen ----------------------------------------------------------------------------------


@onnx_function
class Compact(nn.Module):
    rate: float = 0.5

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return x + nn.relu(nn.Dense(8)(nn.LayerNorm()(x))) * self.rate


@onnx_function
class SetUp(nn.Module):
    def setup(self) -> None:
        self.inner = [nn.Dense(8), nn.Dense(8)]

    def __call__(self, x: jax.Array) -> jax.Array:
        y: jax.Array = self.inner[1](nn.tanh(self.inner[0](x)))
        return y


@onnx_function
class Normalised(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y: jax.Array = nn.BatchNorm(use_running_average=True)(nn.Dense(8)(x))
        return y


class MarkedMethod(nn.Module):
    @onnx_function(name="MarkedMethod")
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y: jax.Array = nn.Dense(8)(x)
        return y


class MarkedBelow(nn.Module):
    @nn.compact
    @onnx_function
    def __call__(self, x: jax.Array) -> jax.Array:
        y: jax.Array = nn.Dense(8)(x)
        return y


class LinenStack(nn.Module):
    block: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for _ in range(3):
            x = self.block()(x)
        return x


@pytest.mark.parametrize("block", [Compact, SetUp, Normalised, MarkedMethod, MarkedBelow])
def test_linen_modules_share_one_function(block: Any) -> None:
    stack = LinenStack(block)
    model = assert_agrees((stack, stack.init(KEY, X)), X, specs=[("B", 8)])
    assert operators(model) == [block.__name__] * 3
    assert [f.name for f in model.functions] == [block.__name__]
    assert model.functions[0].input[-1] == "x"


def test_the_inputs_of_a_linen_function_have_the_names_of_its_variables() -> None:
    stack = LinenStack(Compact)
    model = assert_agrees((stack, stack.init(KEY, X)), X)
    names = ["Dense_0.bias", "Dense_0.kernel", "LayerNorm_0.bias", "LayerNorm_0.scale"]
    assert list(model.functions[0].input) == [*(f"params.{n}" for n in names), "x"]
    assert model.graph.node[1].input[1] == "params.Compact_1.Dense_0.kernel"


def test_linen_modules_with_different_attributes_have_different_functions() -> None:
    class Rates(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            y: jax.Array = Compact(0.3)(Compact(0.5)(Compact(0.3)(x)))
            return y

    net = Rates()
    model = assert_agrees((net, net.init(KEY, X)), X)
    assert operators(model) == ["Compact", "Compact_rate_0_5", "Compact"]


def test_linen_scan_and_remat() -> None:
    class Scanned(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            stacked: Any = nn.scan(
                lambda block, carry, _: (block(carry), None),
                variable_axes={"params": 0},
                split_rngs={"params": True},
                length=3,
            )
            x, _ = stacked(Compact(), x, None)
            y: jax.Array = nn.remat(Compact)()(x)
            return y

    net = Scanned()
    model = assert_agrees((net, net.init(KEY, X)), X, specs=[("B", 8)])
    assert [f.name for f in model.functions] == ["Compact"]


# -- when calls share a function -----------------------------------------------------------------


@onnx_function
class Scaled(eqx.Module):
    linear: eqx.nn.Linear
    scale: float = 0.5
    unused: int = 0
    activation: Callable[[jax.Array], jax.Array] = eqx.field(static=True, default=jnp.tanh)

    def __call__(self, x: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        y: jax.Array = self.activation(jax.vmap(self.linear)(x)) * self.scale
        return y if mask is None else y * mask


def scaled(seed: int, **fields: Any) -> Scaled:
    return Scaled(eqx.nn.Linear(8, 8, key=jax.random.key(seed)), **fields)


def twice(first: Any, second: Any) -> Any:
    return assert_agrees(lambda x: second(first(x)), X)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"unused": 7},
        {"activation": lambda x: jnp.tanh(x)},  # noqa: PLW0108  # a new function each time
        {"activation": functools.partial(jnp.tanh)},
    ],
    ids=["equal", "unused number", "lambda", "partial"],
)
def test_calls_with_equal_graphs_share_one_function(fields: dict[str, Any]) -> None:
    assert operators(twice(scaled(0), scaled(1, **fields))) == ["Scaled", "Scaled"]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"scale": 0.25}, "Scaled_scale_0_25"),
        ({"activation": jax.nn.relu, "scale": -1.0}, "Scaled_scale_1_0_activation_relu"),
        ({"activation": lambda x: x + 1}, "Scaled_activation_lambda"),
    ],
)
def test_calls_with_different_graphs_have_different_functions(
    fields: dict[str, Any], name: str
) -> None:
    first, second = operators(twice(scaled(0), scaled(1, **fields)))
    assert (first, second[: len(name)]) == ("Scaled", name)


def test_weak_types_share_one_function() -> None:
    @onnx_function
    def double(x: jax.Array) -> jax.Array:
        return x * 2

    model = assert_agrees(lambda x: double(x[0, 0]) + double(jnp.asarray(3.0)), X)
    assert len(model.functions) == 1


def test_inputs_of_a_function_are_named_after_the_arguments() -> None:
    block = scaled(0)
    model = assert_agrees(lambda x: block(x, mask=x), X)
    assert list(model.functions[0].input) == ["linear.weight", "linear.bias", "x", "mask"]

    @onnx_function
    def mix(state: dict[str, jax.Array], *rest: jax.Array) -> jax.Array:
        return state["a"] + state["b"] + sum(rest)

    model = assert_agrees(lambda x: mix({"a": x, "b": x + 1}, x, x * 2), X)
    assert list(model.functions[0].input) == ["state.a", "state.b", "rest", "x_2"]


def test_an_argument_that_is_only_returned_is_not_an_input() -> None:
    @onnx_function
    def step(x: jax.Array, state: jax.Array, count: jax.Array) -> Any:
        return {"x": x + state, "state": state, "count": count}

    model = assert_agrees(lambda x: step(x, x[0], x[1]), X)
    assert list(model.functions[0].input) == ["x", "state"]
    assert list(model.functions[0].output) == ["output"]
    assert operators(assert_agrees(onnx_function(name="same")(lambda x: x), X)) == ["Identity"]


def test_several_outputs_of_a_nested_function() -> None:
    @onnx_function(namespace="my.ops")
    def halves(x: jax.Array) -> Any:
        return {"low": x[:4], "rest": (x[4:], x.sum())}

    @onnx_function(type="Both", namespace="my.ops")
    def both(x: jax.Array) -> Any:
        first = halves(x[0])
        return first, halves(x[1])["rest"][1]

    model = assert_agrees(both, X)
    assert operators(model) == ["Both"]
    assert [(f.domain, f.name) for f in model.functions] == [
        ("my.ops", "halves"),
        ("my.ops", "Both"),
    ]


def test_flags_as_inputs() -> None:
    @onnx_function
    def noisy(x: jax.Array, deterministic: bool) -> jax.Array:
        return x + 1 if deterministic else x * 2

    def fn(x: jax.Array, deterministic: bool) -> jax.Array:
        return noisy(noisy(x, deterministic), True)

    model = to_onnx(fn, [("B", 8)], {"deterministic": True})
    assert sorted(f.name for f in model.functions) == ["noisy", "noisy_deterministic_False"]
    for deterministic in (True, False):
        assert allclose(fn, model, [X], {"deterministic": deterministic})


# -- stacks and state ----------------------------------------------------------------------------


def test_a_scan_over_stacked_equinox_blocks() -> None:
    class Stack(eqx.Module):
        blocks: Scaled

        def __call__(self, x: jax.Array) -> jax.Array:
            arrays, static = eqx.partition(self.blocks, eqx.is_array)
            y: jax.Array = jax.lax.scan(
                lambda carry, each: (eqx.combine(each, static)(carry), None), x, arrays
            )[0]
            return y

    made = eqx.filter_vmap(lambda key: Scaled(eqx.nn.Linear(8, 8, key=key)))
    model = assert_agrees(Stack(made(jax.random.split(KEY, 3))), X, specs=[("B", 8)])
    assert [f.name for f in model.functions] == ["Scaled"]
    assert {i.name for i in model.graph.initializer} >= {"blocks.linear.weight"}


@onnx_function
class NnxNormalised(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.linear = nnx.Linear(8, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        y: jax.Array = self.dropout(self.norm(self.linear(x)))
        return y


class Shared(nnx.Module):
    """A model that calls one block twice."""

    def __init__(self) -> None:
        self.block = NnxNormalised(nnx.Rngs(0))

    def __call__(self, x: jax.Array) -> jax.Array:
        y: jax.Array = self.block(self.block(x))
        return y


def test_nnx_modules_in_inference() -> None:
    net = Shared()
    model = assert_agrees(net, X, specs=[("B", 8)])
    assert operators(model) == ["NnxNormalised"] * 2
    names = ["linear.bias", "linear.kernel", "norm.bias", "norm.mean", "norm.scale", "norm.var"]
    assert list(model.functions[0].input) == [*names, "x"]


def test_a_call_sees_the_state_that_the_previous_call_changed() -> None:
    net = Shared()
    with pytest.warns(StateChangeWarning, match=r"block\.norm\.mean"):  # other masks in the second
        assert_agrees(net, X, specs=[("B", 8)], rtol=1e-3, atol=1e-4, training=True)
    net(jnp.asarray(X))
    assert net.block.dropout.rngs is not None
    assert net.block.dropout.rngs.count[...] == 2


def test_an_nnx_scan_over_stacked_blocks() -> None:
    class Stack(nnx.Module):
        def __init__(self) -> None:
            @nnx.split_rngs(splits=3)
            @nnx.vmap(in_axes=(0,), out_axes=0)
            def make(rngs: nnx.Rngs) -> NnxNormalised:
                return NnxNormalised(rngs)

            self.blocks = make(nnx.Rngs(0))

        def __call__(self, x: jax.Array) -> Any:
            @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
            def forward(x: jax.Array, block: NnxNormalised) -> jax.Array:
                return block(x)

            return forward(x, self.blocks)

    net = Stack()
    model = assert_agrees(net, X, specs=[("B", 8)])
    assert [f.name for f in model.functions] == ["NnxNormalised"]


def test_stateful_equinox_blocks_share_one_function() -> None:
    @onnx_function
    class Block(eqx.Module):
        linear: eqx.nn.Linear
        norm: eqx.nn.BatchNorm

        def __init__(self, key: jax.Array) -> None:
            self.linear = eqx.nn.Linear(8, 8, key=key)
            self.norm = eqx.nn.BatchNorm(8, axis_name="batch", mode="batch")

        def __call__(self, x: jax.Array, state: eqx.nn.State) -> Any:
            return self.norm(self.linear(x), state)

    class Stack(eqx.Module):
        blocks: list[Block]

        def __init__(self, key: jax.Array) -> None:
            self.blocks = [Block(k) for k in jax.random.split(key, 3)]

        def __call__(self, x: jax.Array, state: eqx.nn.State) -> Any:
            for block in self.blocks:
                x, state = block(x, state)
            return x

    stack, state = eqx.nn.make_with_state(Stack)(KEY)
    model = assert_agrees(
        jax.vmap(functools.partial(stack, state=state), axis_name="batch"), X, specs=[("B", 8)]
    )
    assert operators(model) == ["Block"] * 3
    assert [i for i in model.functions[0].input if i.startswith("state")] == [
        "state.blocks.0.norm.batch_counter",
        "state.blocks.0.norm.batch_state_index.0",
        "state.blocks.0.norm.batch_state_index.1",
    ]
    assert {"blocks.2.norm.bias", "state.blocks.2.norm.batch_state_index.1"} <= {
        i.name for i in model.graph.initializer
    }


# -- functions in other tools --------------------------------------------------------------------


def run(model: onnx.ModelProto) -> Any:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": X})[0]


def test_functions_can_be_inlined() -> None:
    keys = jax.random.split(KEY, 3)
    model = to_onnx(EqxStack([EqxBlock(k) for k in keys]), [("B", 8)])
    expected = run(model)
    flat = onnx.inliner.inline_local_functions(model)
    assert "EqxBlock" not in operators(flat)
    np.testing.assert_allclose(run(flat), expected, rtol=1e-6)
    held = ir.from_proto(model)
    InlinePass()(held)
    assert not held.functions
    np.testing.assert_allclose(run(ir.to_proto(held)), expected, rtol=1e-6)


def test_every_value_in_a_function_is_typed() -> None:
    model = to_onnx(EqxStack([EqxBlock(KEY)]), [("B", 8)])
    function = model.functions[0]
    values = {v.name for v in function.value_info}
    assert {o for n in function.node for o in n.output} <= values | set(function.output)


# -- errors --------------------------------------------------------------------------------------


def test_a_class_that_cannot_be_called_is_refused() -> None:
    class Silent(eqx.Module):
        pass

    with pytest.raises(InputError, match=r"Silent has no __call__; mark its methods"):
        onnx_function(Silent)


def test_an_argument_that_cannot_be_compared_is_refused() -> None:
    @onnx_function
    def count(x: jax.Array, words: Any) -> jax.Array:
        return x * len(words)

    class Words:
        __hash__ = None  # type: ignore[assignment]

        def __len__(self) -> int:
            return 2

    with pytest.raises(InputError, match="onnx_function count: an argument is no array"):
        to_onnx(lambda x: count(x, Words()), [X])
