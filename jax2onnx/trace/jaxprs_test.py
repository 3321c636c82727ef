from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import Array, lax
from jax.extend import core

from jax2onnx.trace.jaxprs import (
    branch_on_cpu,
    call_site,
    called_jaxpr,
    close,
    nested_jaxprs,
    source_line,
    without_dead_equations,
)


@jax.custom_jvp
def with_jvp(x: Array) -> Array:
    return jnp.sin(x)


with_jvp.defjvp(lambda primals, tangents: (with_jvp(*primals), tangents[0]))


@jax.custom_vjp
def with_vjp(x: Array) -> Array:
    return jnp.cos(x)


with_vjp.defvjp(lambda x: (with_vjp(x), None), lambda _, g: (g,))


def trace(function: Callable[..., Any], *args: Any) -> core.ClosedJaxpr:
    return jax.make_jaxpr(function)(*(args or (1.0,)))


@pytest.mark.parametrize(
    "function", [jax.jit(jnp.sin), with_jvp, with_vjp, jax.checkpoint(jnp.sin)]
)
def test_calls(function: Callable[..., Any]) -> None:
    (eqn,) = trace(function).jaxpr.eqns
    called = called_jaxpr(eqn)
    assert called is not None
    assert [e.primitive.name for e in called.eqns] in (["sin"], ["cos"])
    assert [inner.jaxpr for inner in nested_jaxprs(eqn)][:1] == [called.jaxpr]


def test_equations_that_do_more_than_call_have_no_called_jaxpr() -> None:
    for function in (jnp.sin, lambda x: lax.fori_loop(0, 3, lambda _, y: y + 1, x)):
        assert all(called_jaxpr(eqn) is None for eqn in trace(function).jaxpr.eqns)


def test_nested_jaxprs_are_all_branches_but_only_the_platform_cpu() -> None:
    (*_, cond) = trace(lambda x: lax.cond(x > 0, jnp.sin, jnp.cos, x)).jaxpr.eqns
    names = [eqn.primitive.name for inner in nested_jaxprs(cond) for eqn in inner.eqns]
    assert names == ["cos", "sin"]
    dependent = trace(lambda x: lax.platform_dependent(x, cpu=jnp.sin, default=jnp.cos))
    names = [
        inner_eqn.primitive.name
        for eqn in dependent.jaxpr.eqns
        for inner in nested_jaxprs(eqn)
        for inner_eqn in inner.eqns
    ]
    assert names == ["sin"]


@pytest.mark.parametrize(
    ("platforms", "branch"),
    [([("cuda",), ("cpu", "tpu"), None], 1), ([("cuda",), None], 1), ([None, ("cpu",)], 1)],
)
def test_the_branch_on_the_cpu(platforms: list[Any], branch: int) -> None:
    assert branch_on_cpu(platforms) == branch


def test_closing() -> None:
    closed = trace(jnp.sin)
    assert close(closed) is closed
    assert close(closed.jaxpr).jaxpr is closed.jaxpr


def test_dead_equations_are_removed_and_inputs_stay() -> None:
    def function(x: Array, y: Array) -> Array:
        jnp.exp(jnp.cos(y))
        return jnp.sin(x)

    jaxpr = trace(function, 1.0, 2.0).jaxpr
    live = without_dead_equations(jaxpr)
    assert [eqn.primitive.name for eqn in live.eqns] == ["sin"]
    assert live.invars == jaxpr.invars


def test_dead_results_of_a_call_are_removed_unless_it_is_marked() -> None:
    def two(x: Array) -> tuple[Array, Array]:
        return jnp.sin(x), jnp.cos(x)

    def names(function: Callable[..., Any]) -> list[str]:
        live = without_dead_equations(trace(lambda x: function(x)[0]).jaxpr)
        (call,) = live.eqns
        called = called_jaxpr(call)
        assert called is not None
        return [eqn.primitive.name for eqn in called.eqns]

    assert names(jax.jit(two)) == ["sin"]
    two.__name__ = "onnx_function<custom|two|0>"
    assert names(jax.jit(two)) == ["sin", "cos"]


def test_source_lines() -> None:
    closed = trace(lambda x: x * 2)
    (eqn,) = closed.jaxpr.eqns
    assert "jaxprs_test.py:" in source_line(eqn)
    assert call_site(closed.jaxpr, eqn).startswith("jaxprs_test.py:")
    inner = trace(lambda x: jnp.clip(x, 0, 1)).jaxpr.eqns[0]
    called = called_jaxpr(inner)
    assert called is not None
    assert call_site(called.jaxpr, called.jaxpr.eqns[0]) == ""
