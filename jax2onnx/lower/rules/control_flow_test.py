"""Conditionals and loops agree with JAX when nested, batched or over symbolic dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.ad_checkpoint
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from jax import lax
from jax.custom_derivatives import linear_call

from jax2onnx.testing.agreement import assert_agrees, lowered, operators

X = np.linspace(-2, 2, 24, dtype=np.float32).reshape(3, 8)


@pytest.mark.parametrize("index", [-1, 0, 1, 2, 9])
def test_switch_clamps_its_index(index: int) -> None:
    branches = [lambda v: v + 1, lambda v: v * 2, jnp.sin]
    assert_agrees(lambda i, x: lax.switch(i, branches, x), np.int32(index), X)


@pytest.mark.parametrize("sign", [1, -1])
def test_cond_reads_captured_values(sign: int) -> None:
    def fn(x: jax.Array, w: jax.Array) -> Any:
        return lax.cond(x[0, 0] > 0, lambda v: (v + w, w), lambda v: (v, w * 2), x)

    model = assert_agrees(fn, sign * X, X, specs=[("B", 8), ("B", 8)])
    assert "If" in operators(model)


def test_while_with_a_captured_limit() -> None:
    def fn(x: jax.Array, limit: jax.Array) -> Any:
        return lax.while_loop(lambda c: c[0].sum() < limit, lambda c: (c[0] + 1, c[1] + 1), (x, 0))

    assert_agrees(fn, X, np.float32(100), specs=[("B", 8), np.float32(0)])


def test_a_batched_predicate_stops_each_element_separately() -> None:
    def grow(v: jax.Array) -> jax.Array:
        grown: jax.Array = lax.while_loop(lambda c: c < 10.0, lambda c: c * 2 + 1, v)
        return grown

    assert_agrees(jax.vmap(grow), np.array([0.5, 3.0, 20.0, 9.9], np.float32), specs=[("B",)])


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_with_carry_and_outputs(reverse: bool) -> None:
    def fn(x: jax.Array, w: jax.Array) -> Any:
        def step(carry: Any, row: Any) -> Any:
            total, count = carry
            return (total + row * w, count + 1), (total.sum(), row * count)

        return lax.scan(step, (jnp.zeros(8), 0), x, reverse=reverse)

    assert_agrees(fn, X, X[0], specs=[("T", 8), (8,)])


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_without_inputs(reverse: bool) -> None:
    def fn(x: jax.Array) -> Any:
        return lax.scan(lambda c, _: (c * 0.5, c.sum()), x, None, length=4, reverse=reverse)

    assert_agrees(fn, X)


def test_loops_nest_and_share_constants() -> None:
    def fn(x: jax.Array) -> Any:
        def outer(i: Any, c: Any) -> Any:
            return lax.fori_loop(0, i, lambda j, d: d + j * 0.5, c) * 0.9

        return lax.fori_loop(0, 4, outer, x)

    assert_agrees(fn, X, specs=[("B", 8)])


def test_a_carry_that_changes_nothing() -> None:
    assert_agrees(lambda x: lax.fori_loop(0, 3, lambda _, c: (c[1], c[1]), (x, x + 1)), X)


def test_associative_scan_and_map() -> None:
    assert_agrees(lambda x: lax.associative_scan(jnp.add, x, axis=1), X)
    assert_agrees(lambda x: lax.map(lambda row: row @ row, x), X, specs=[("T", 8)])


@pytest.mark.parametrize("here", ["cpu", "default"])
def test_platform_dependent_takes_the_branch_of_the_cpu(here: str) -> None:
    branches = {"tpu": jnp.sin, "default": jnp.cos, here: lambda v: v + 1}
    model = assert_agrees(lambda x: lax.platform_dependent(x, **branches), X)
    assert operators(model) == ["Add"]


def test_a_branch_on_complex_numbers_reads_the_boolean() -> None:
    def fn(x: jax.Array, flag: jax.Array) -> Any:
        return lax.cond(flag, lambda z: (z * z).real, lambda z: z.imag, lax.complex(x, x + 1))

    model = assert_agrees(fn, X, np.asarray(True))
    assert not {"Cast", "Greater", "Clip"} & set(operators(model))


def test_a_loop_without_carry() -> None:
    assert_agrees(lambda x: lax.scan(lambda c, _: (c, x[0] * 2), 0.0, None, length=3)[1], X)


def test_gradient_through_a_loop() -> None:
    def loss(x: jax.Array) -> jax.Array:
        last: jax.Array = lax.scan(lambda c, r: (jnp.tanh(c + r), None), jnp.zeros(8), x)[0]
        return last.sum()

    assert_agrees(jax.grad(loss), X)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_of_length_zero(reverse: bool) -> None:
    def fn(x: jax.Array) -> Any:
        return lax.scan(lambda c, r: (c + r, (c * r, r[0] > 0)), x[0], x[:0], reverse=reverse)

    assert_agrees(fn, X)


@pytest.mark.parametrize("unroll", [2, 3, True])
def test_unrolled_scans(unroll: Any) -> None:
    assert_agrees(lambda x: lax.scan(lambda c, r: (c + r, c), x[0], x, unroll=unroll), X)


@pytest.mark.parametrize("stop", [-2, 0, 5])
def test_bounds_that_are_inputs(stop: int) -> None:
    assert_agrees(lambda x, n: lax.fori_loop(1, n, lambda i, c: c + i, x), X, np.int32(stop))


@pytest.mark.parametrize("index", [-7, 0, 2, 9])
def test_switches_clamp_their_index(index: int) -> None:
    branches = [lambda v: v, lambda v: -v, lambda v: v * 3]
    assert_agrees(lambda i, x: lax.switch(i, branches, x), np.int32(index), X)


def repeat(
    going: Callable[[Any, Any], Any], step: Callable[[Any], Any], start: int = 0
) -> Callable[..., Any]:
    """Return a function of x and n that doubles x while ``going(i, n)``, and steps i."""

    def fn(x: jax.Array, n: jax.Array) -> Any:
        return lax.while_loop(
            lambda c: going(c[0], n), lambda c: (step(c[0]), c[1] * 2), (start, x)
        )

    return fn


COUNTED = {
    "below": repeat(lambda i, n: i < n, lambda i: i + 1),
    "up to": repeat(lambda i, n: i <= n, lambda i: 1 + i, -2),
    "by twos": repeat(lambda i, n: n > i, lambda i: i + 2, 1),
    "up to by threes": repeat(lambda i, n: n >= i, lambda i: i + 3),
    "down": repeat(lambda i, n: i > n, lambda i: i - 1, 7),
    "down by twos": repeat(lambda i, n: n <= i, lambda i: i - 2, 8),
    "down by adding": repeat(lambda i, n: i > n, lambda i: i + -3, 8),
}


@pytest.mark.parametrize("n", [-3, 0, 1, 4, 5])
@pytest.mark.parametrize("name", COUNTED)
def test_a_counter_gives_the_trip_count(name: str, n: int) -> None:
    model = assert_agrees(COUNTED[name], X, np.int32(n))
    (loop,) = (node for node in model.graph.node if node.op_type == "Loop")
    assert loop.input[0]
    assert not loop.input[1]
    (body,) = (a.g for a in loop.attribute if a.name == "body")
    assert not {"Less", "LessOrEqual", "Greater"} & {n.op_type for n in body.node}


@pytest.mark.parametrize("scale", [1, 100])
def test_a_counter_beside_another_condition_gives_an_upper_bound(scale: int) -> None:
    fn = repeat(lambda i, n: (i < 7) & (i * scale < n), lambda i: i + 2)
    model = assert_agrees(fn, X, np.int32(90))
    (loop,) = (node for node in model.graph.node if node.op_type == "Loop")
    (count,) = (i for i in model.graph.initializer if i.name == loop.input[0])
    assert onnx.numpy_helper.to_array(count) == 4
    assert loop.input[1]


NOT_COUNTED = {
    "away from the limit": lambda c: (c[0] < 3, c[0] - 1),
    "a step that changes": lambda c: (c[0] < 9, c[0] + c[0]),
    "a limit that changes": lambda c: (c[1] < c[0], c[0] + 1),
    "not a counter": lambda c: (c[0] * 2 < 9, c[0] + 1),
    "either of two": lambda c: ((c[0] < 3) | (c[1] < 5), c[0] + 1),
    "a product": lambda c: (c[0] < 9, c[0] * 2),
}


@pytest.mark.parametrize("name", NOT_COUNTED)
def test_other_loops_have_no_trip_count(name: str) -> None:
    both: Any = NOT_COUNTED[name]

    def fn(start: Any, other: Any, x: Any) -> Any:
        return lax.while_loop(
            lambda c: both(c)[0] & (c[2].sum() < 1e6),
            lambda c: (both(c)[1], c[1] + 1, c[2] + 1e5),
            (start, other, x),
        )

    model = assert_agrees(fn, np.int32(1), np.int32(0), X)
    (loop,) = (node for node in model.graph.node if node.op_type == "Loop")
    assert not loop.input[0]


def test_loops_and_branches_under_vmap() -> None:
    def loop(row: Any, n: Any) -> Any:
        return lax.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, c[1] * 0.5 + row), (0, row))

    def branch(row: Any) -> Any:
        return lax.cond(row[0] > 0, lambda v: v * 2, lambda v: lax.fori_loop(0, 2, _halve, v), row)

    assert_agrees(jax.vmap(loop), X, np.arange(len(X), dtype=np.int32))
    assert_agrees(jax.vmap(branch), X)


def _halve(_: Any, v: Any) -> Any:
    return v / 2


def test_mutable_arrays() -> None:
    def fn(x: jax.Array) -> Any:
        table = jax.new_ref(x)
        table[0] = table[1] * 2

        def step(i: Any, c: Any) -> Any:
            table[i] = table[i] + c.sum()
            return c + 1

        return lax.fori_loop(0, 2, step, x[0]), table[...]

    assert_agrees(fn, X)


def test_debugging_primitives_are_removed() -> None:
    def fn(x: jax.Array) -> Any:
        jax.debug.print("{}", x.sum())
        jax.debug.callback(lambda v: None, x)
        return jax.ad_checkpoint.checkpoint_name(x + 1, "sum")

    assert operators(lowered(fn, [X])) == ["Add"]


def test_calls() -> None:
    def composite(x: Any) -> Any:
        return lax.composite(lambda v: jnp.sin(v) * 2, "test.twice_sine")(x)

    def linear(x: Any) -> Any:
        return linear_call(lambda r, v: v * r, lambda r, c: c * r, x, x + 1)

    assert_agrees(lambda x: (composite(x), linear(x)), X)
