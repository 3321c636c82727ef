"""Arrays that a callable reaches get names, whichever way it holds them."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable
from typing import Any

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jax2onnx.decorator import onnx_function
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.conversion import assert_agrees

X = np.linspace(-2, 2, 24, dtype=np.float32).reshape(3, 8)
KEY = jax.random.key(0)

TABLE = jax.random.normal(KEY, (8, 8))
HOST = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
DOUBLES = np.linspace(0, 1, 64).reshape(8, 8)
EQX = eqx.nn.Linear(8, 8, key=KEY)
NNX = nnx.Linear(8, 8, rngs=nnx.Rngs(0))
LINEN = nn.Dense(8)
VARIABLES = LINEN.init(KEY, X)


def project(x: jax.Array) -> jax.Array:
    return x @ TABLE


class Policy:
    """A class that belongs to no framework."""

    def __init__(self) -> None:
        self.layers: list[Any] = [EQX, {"scale": TABLE}]

    shift = np.linspace(0, 1, 8, dtype=np.float32)

    def act(self, x: jax.Array) -> Any:
        linear, rest = self.layers
        return jax.vmap(linear)(x) @ rest["scale"] + self.shift


def enclosed() -> Callable[[jax.Array], Any]:
    encoder, scale = EQX, TABLE

    def fn(x: jax.Array) -> Any:
        return jax.vmap(encoder)(x) @ scale

    return fn


def looped(x: jax.Array) -> Any:
    return jax.lax.scan(lambda c, _: (jnp.tanh(c @ TABLE), None), x, None, length=3)[0]


REACHED: dict[str, Any] = {
    "vmap of an Equinox module": (jax.vmap(EQX), {"weight", "bias"}),
    "filter_vmap of one": (eqx.filter_vmap(EQX), {"weight", "bias"}),
    "filter_jit of one": (eqx.filter_jit(eqx.filter_vmap(EQX)), {"weight", "bias"}),
    "a lambda around one": (lambda x: jax.vmap(EQX)(x) + 1, {"weight", "bias"}),
    "its method": (jax.vmap(EQX.__call__), {"weight", "bias"}),
    "a lambda around an NNX module": (lambda x: NNX(x) + 1, {"kernel", "bias"}),
    "its bound method": (NNX.__call__, {"kernel", "bias"}),
    "vmap of it": (jax.vmap(NNX), {"kernel", "bias"}),
    "Linen's apply": (lambda x: LINEN.apply(VARIABLES, x), {"params.kernel", "params.bias"}),
    "a bound Linen method": (LINEN.bind(VARIABLES).__call__, {"params.kernel", "params.bias"}),
    "two modules": (lambda x: NNX(jax.vmap(EQX)(x)), {"NNX.kernel", "NNX.bias"}),
    "a closure": (enclosed(), {"encoder.weight", "scale"}),
    "a global": (project, {"TABLE"}),
    "a global of a callee": (lambda x: project(x) + 1, {"TABLE"}),
    "numpy's array": (lambda x: x @ HOST, {"HOST"}),
    "a partial": (functools.partial(lambda w, x: x @ w, TABLE), {"w"}),
    "a partial of keywords": (functools.partial(lambda x, w: x @ w, w=TABLE), {"w"}),
    "a lambda around a partial": (lambda x: functools.partial(project)(x) + 1, {"TABLE"}),
    "an object": (Policy().act, {"layers.0.weight", "layers.1.scale", "shift"}),
    "numpy's doubles": (lambda x: x @ DOUBLES, {"DOUBLES"}),
    "under jit": (jax.jit(project), {"TABLE"}),
    "in a loop": (looped, {"TABLE"}),
}


@pytest.mark.parametrize("how", REACHED)
def test_an_array_keeps_the_name_of_its_path(how: str) -> None:
    fn, names = REACHED[how]
    model = assert_agrees(fn, X)
    assert names <= {i.name for i in model.graph.initializer}


class Lazy:
    """A module that is not installed, and that a library would load when it is used."""

    def __getattr__(self, name: str) -> Any:
        raise ImportError(f"{name} needs another module")


class Proxy(Lazy):
    """An object that only exists in some context."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise RuntimeError("outside of the context")


lazy, proxy = Lazy(), Proxy()


def test_objects_that_cannot_be_inspected_do_not_stop_the_search() -> None:
    model = assert_agrees(lambda x: x @ TABLE if x.ndim == 2 else (lazy.tanh(x), proxy), X)
    assert [i.name for i in model.graph.initializer] == ["TABLE"]


def test_a_long_chain_of_objects_is_searched_to_its_end() -> None:
    class Node:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

    chain: Any = Node(TABLE)
    for _ in range(2000):
        chain = Node(chain)
    model = assert_agrees(lambda x: x @ TABLE if chain else x, X)
    assert [i.name for i in model.graph.initializer] == [".".join(["inner"] * 2001)]


class Variable:
    """A variable like Keras's, which has its own path."""

    def __init__(self, path: str, value: Any) -> None:
        self.path, self.value = path, value


class Layer:
    """A layer like Keras's, which is not a pytree and has no attribute for a variable."""

    def __init__(self) -> None:
        self.variables = [Variable("net/hidden/kernel", TABLE), Variable("net/step", 3)]

    def __call__(self, x: jax.Array) -> Any:
        return x @ self.variables[0].value


LAYER = Layer()


@pytest.mark.parametrize(
    "fn",
    [LAYER, LAYER.__call__, jax.jit(LAYER), lambda x: x @ TABLE + LAYER(x)],
    ids=["itself", "a bound method", "under jit", "beside the array"],
)
def test_a_variable_with_its_own_path_keeps_it(fn: Any, monkeypatch: Any) -> None:
    keras: Any = types.ModuleType("keras")
    keras.Variable, keras.layers = Variable, types.SimpleNamespace(Layer=Layer)
    monkeypatch.setitem(sys.modules, "keras", keras)
    model = assert_agrees(fn, X)
    assert [i.name for i in model.graph.initializer] == ["net/hidden/kernel"]


def test_a_list_keeps_its_name() -> None:
    tables = [TABLE, TABLE + 1]
    model = assert_agrees(lambda x: x @ tables[0] @ tables[1], X)
    assert {i.name for i in model.graph.initializer} == {"tables.0", "tables.1"}


def test_a_captured_matrix_is_a_parameter_of_gemm() -> None:
    assert operators(assert_agrees(jax.vmap(EQX), X, specs=[("B", 8)])) == ["Gemm"]


def test_names_that_clash_are_numbered() -> None:
    model = assert_agrees(project, X, input_names=["TABLE"])
    assert {i.name for i in model.graph.initializer} == {"TABLE_1"}


def test_an_index_stays_a_constant() -> None:
    order = np.array([2, 0, 1])
    model = assert_agrees(lambda x: x[order], X)
    assert "order" not in {i.name for i in model.graph.initializer}


def test_captured_arrays_are_inputs_of_a_function() -> None:
    @onnx_function
    def mix(x: jax.Array) -> jax.Array:
        return jnp.tanh(x @ TABLE)

    model = assert_agrees(lambda x: mix(mix(x)), X)
    assert operators(model) == ["mix", "mix"]
    assert list(model.functions[0].input)[1:] == ["TABLE"]
    assert [i.name for i in model.graph.initializer] == ["TABLE"]


def test_captured_arrays_are_inputs_of_a_nested_function() -> None:
    @onnx_function
    def inner(x: jax.Array) -> jax.Array:
        return jnp.tanh(jax.jit(project)(x))

    @onnx_function
    def outer(x: jax.Array) -> jax.Array:
        return inner(inner(x)) + 1

    model = assert_agrees(outer, X)
    assert {f.name: list(f.input)[1:] for f in model.functions} == {
        "inner": ["TABLE"],
        "outer": ["TABLE"],
    }
