"""Checks of values are left out, and one warning lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend import core

from jax2onnx.api import to_onnx
from jax2onnx.decorator import onnx_function
from jax2onnx.errors import CheckWarning
from jax2onnx.lower import in_jax, register_lowering
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.conversion import assert_agrees

X = np.linspace(0, 2, 24, dtype=np.float32).reshape(3, 8)


def checked(x: Any, message: str = "x is negative. Take its square") -> Any:
    return eqx.error_if(x, jnp.any(x.real < 0), message)


def looped(x: jax.Array) -> Any:
    return jax.lax.fori_loop(0, 3, lambda _, c: checked(c) * 2, x)


def complex_(x: jax.Array) -> Any:
    z = checked(jax.lax.complex(x, 1 - x))
    return z.real * z.imag


@onnx_function
def marked(x: jax.Array) -> Any:
    return checked(x) * 2


MODELS: dict[str, tuple[Callable[[jax.Array], Any], list[str]]] = {
    "plain": (lambda x: checked(x) * 2, ["Mul"]),
    "under vmap": (jax.vmap(lambda x: checked(x) * 2), ["Mul"]),
    "under jit": (jax.jit(lambda x: checked(x) * 2), ["Mul"]),
    "in a loop": (looped, ["Loop"]),
    "of complex numbers": (complex_, ["Sub", "Mul"]),
    "in functions": (lambda x: marked(marked(x)), ["marked", "marked"]),
}


@pytest.mark.parametrize("where", MODELS)
def test_a_check_is_left_out_with_a_warning(where: str) -> None:
    fn, expected = MODELS[where]
    with pytest.warns(CheckWarning, match=r"passed:\n  x is negative\.$"):
        model = assert_agrees(fn, X)
    assert operators(model) == expected


def test_a_decomposition_loses_its_checks() -> None:
    checked_p = core.Primitive("checked")
    checked_p.def_abstract_eval(lambda x: x)
    checked_p.def_impl(checked)
    register_lowering(checked_p)(in_jax(checked))
    with pytest.warns(CheckWarning, match="x is negative"):
        model = to_onnx(lambda x: checked_p.bind(x) * 2, [("B", 8)])
    assert operators(model) == ["Mul"]


def test_one_warning_lists_all_checks() -> None:
    def fn(x: jax.Array) -> Any:
        for i in range(7):
            x = checked(x, f"{i} is wrong") + 1
        return checked(x, "0 is wrong")

    with pytest.warns(CheckWarning) as caught:
        to_onnx(fn, [("B", 8)])
    (warning,) = caught
    lines = str(warning.message).splitlines()[1:]
    assert lines == [f"  {i} is wrong" for i in range(5)] + ["  ... (7)"]
    assert warning.filename == __file__


def test_a_choice_is_not_a_check() -> None:
    def fn(x: jax.Array) -> Any:
        return jax.lax.cond(jnp.any(x > 1), lambda: x * 2, lambda: x)

    assert operators(assert_agrees(fn, X))[-1] == "If"
