"""Checks of values are left out, and one warning lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
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


def run(model: onnx.ModelProto, x: np.ndarray[Any, Any]) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, {session.get_inputs()[0].name: x}), strict=True))


@pytest.mark.parametrize("where", ["plain", "under vmap", "under jit"])
def test_a_check_becomes_an_output_on_request(where: str) -> None:
    fn, _ = MODELS[where]
    model = to_onnx(fn, [X], checks="outputs")
    passed, failed = run(model, X), run(model, X - 1)
    assert list(passed) == ["output", "check_failed.x_is_negative"]
    assert not passed["check_failed.x_is_negative"]
    assert failed["check_failed.x_is_negative"]
    np.testing.assert_array_equal(failed["output"], 2 * (X - 1))


def test_each_check_has_an_output_of_its_own_name() -> None:
    def fn(x: jax.Array) -> Any:
        x = eqx.error_if(x, x[0, 0] > 5, "Too large: x[0, 0]!")
        x = eqx.error_if(x, x[0, 0] > 6, "Too large: x[0, 0]!")
        return eqx.error_if(x, x[0, 0] < 0, "???")

    found = run(to_onnx(fn, [("B", 8)], checks="outputs"), X + 5.5)
    del found["output"]
    assert found == {
        "check_failed.too_large_x_0_0": True,
        "check_failed.too_large_x_0_0_2": False,
        "check_failed.check": False,
    }


@pytest.mark.parametrize("where", ["in a loop", "of complex numbers", "in functions"])
def test_checks_that_cannot_be_outputs_are_left_out(where: str) -> None:
    fn, expected = MODELS[where]
    with pytest.warns(CheckWarning, match=r"passed:\n  x is negative\.$"):
        model = assert_agrees(fn, X, checks="outputs")
    assert operators(model) == expected


def test_a_choice_is_not_a_check() -> None:
    def fn(x: jax.Array) -> Any:
        return jax.lax.cond(jnp.any(x > 1), lambda: x * 2, lambda: x)

    assert operators(assert_agrees(fn, X))[-1] == "If"
