"""Errors about symbolic dimensions give advice, and the advice helps."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
import pytest
from jax import lax

from jax2onnx import SymbolicDimensionError, SymbolicDimensionWarning, to_onnx
from jax2onnx.testing.conversion import assert_agrees

Shape = tuple[int | str, ...]


def message(fn: Callable[..., Any], *shapes: Shape) -> str:
    """Return the error of a conversion, which must name the line of ``fn``."""
    with pytest.raises(SymbolicDimensionError, match=r"undecided_test\.py:\d+ \(") as caught:
        to_onnx(fn, shapes)
    return str(caught.value)


COMPARISONS = [
    (lambda x: x if x.shape[0] > 1 else -x, "B >= 2", "B <= 1"),
    (lambda x: x if x.shape[0] >= 3 else -x, "B >= 3", "B <= 2"),
    (lambda x: x if x.shape[0] < 5 else -x, "B <= 4", "B >= 5"),
    (lambda x: x if x.shape[0] <= x.shape[1] else -x, "T >= B", "T <= B - 1"),
    (lambda x: x if 2 * x.shape[0] < x.shape[1] + 3 else -x, "T >= 2*B - 2", "T <= 2*B - 3"),
    (lambda x: x if x.shape[0] // 2 > 2 else -x, "floordiv(B, 2) >= 3", "floordiv(B, 2) <= 2"),
    (lambda x: jnp.pad(x, ((0, 10 - x.shape[0]), (0, 0))), "B >= 11", "B <= 10"),
    (lambda x: lax.top_k(x, 3), "T <= 2", "T >= 3"),
]


@pytest.mark.parametrize(("fn", "always", "never"), COMPARISONS)
def test_the_error_on_a_comparison_has_constraints_that_decide_it(
    fn: Callable[..., Any], always: str, never: str
) -> None:
    text = message(fn, ("B", "T"))
    suggested = re.findall(r'constraints=\["(.+?)"\]', text)
    assert suggested == [always, never]
    assert "jax.lax.cond" in text
    # Both constraints decide it, and at least one lets the function convert.
    problems = [_problem(fn, constraint) for constraint in suggested]
    assert None in problems
    assert not any(problem and "inconclusive" in problem for problem in problems)


def _problem(fn: Callable[..., Any], constraint: str) -> str | None:
    try:
        to_onnx(fn, [("B", "T")], constraints=[constraint])
    except (SymbolicDimensionError, ValueError) as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("fn", "constraint"),
    [
        (lambda x: jnp.ones((512, 4))[: x.shape[0]] * x, "B <= 512"),
        (lambda x: jnp.split(x, 2), "mod(B, 2) == 0"),
        (lambda x: x.reshape(-1, 8), "mod(4*B, - 8) == 0"),
    ],
)
def test_the_error_on_a_shape_has_a_constraint_that_helps(
    fn: Callable[..., Any], constraint: str
) -> None:
    assert f'to_onnx(..., constraints=["{constraint}"])' in message(fn, ("B", 4))
    to_onnx(fn, [("B", 4)], constraints=[constraint])


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: x * float(x.shape[0]),
        lambda x: x * int(x.shape[0]),
        lambda x: sum(x[i] for i in range(x.shape[0])),
        lambda x: sum(row for row in x),
        lambda x: x / np.sqrt(x.shape[0]),
        lambda x: x / math.sqrt(x.shape[0]),
        lambda x: x / x.shape[0] ** 0.5,
        lambda x: x + np.zeros(x.shape),
        lambda x: x[x.shape[0] - 1],
        lambda x: jnp.stack(jnp.unstack(x)),
        lambda x: lax.scan(lambda c, _: (c * 2, None), x, None, length=x.shape[0])[0],
    ],
)
def test_the_error_on_a_size_that_must_be_a_number(fn: Callable[..., Any]) -> None:
    text = message(fn, ("B", 4))
    for way_out in ("A number is needed here", "jnp.arange", "jax.lax.scan", "fixed size"):
        assert way_out in text


@pytest.mark.parametrize(
    "fn",
    [
        lambda x, y: x + y,
        lambda x, y: x @ y.T @ y @ x.T if x is y else jnp.dot(x.T, y),
        lambda x, y: jnp.concatenate([x, y], 1),
        lambda x, y: jnp.where(x > 0, x, y),
        lambda x, y: lax.scan(lambda c, a: (c, a[0] + a[1]), 0.0, (x, y)),
    ],
)
def test_the_error_on_two_names_that_must_be_equal(fn: Callable[..., Any]) -> None:
    assert 'give them one name, or to_onnx(..., constraints=["B == T"])' in message(
        fn, ("B", 4), ("T", 4)
    )
    to_onnx(fn, [("B", 4), ("T", 4)], constraints=["B == T"])


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: jnp.cov(x) + 1,
        lambda x: jax.random.permutation(jax.random.key(0), x),
    ],
)
def test_the_error_on_functions_that_need_constant_sizes(fn: Callable[..., Any]) -> None:
    assert "JAX itself does this only for sizes" in message(fn, ("B", 4))


def test_other_errors_are_not_changed() -> None:
    def fails(x: Any) -> Any:
        raise ValueError("an error of the model")

    with pytest.raises(ValueError, match="an error of the model"):
        to_onnx(fails, [("B", 4)])
    with pytest.raises(TypeError, match=r"got \(4,\) and \(3,\)"):
        to_onnx(lambda x: x @ jnp.ones((3, 3)), [("B", 4)])


@pytest.mark.parametrize(
    "fn",
    [
        lambda x, y: x + y.sum() if x.shape[0] == y.shape[0] else x,
        lambda x, y: x + y.sum() if x.shape != y.shape else x,
        lambda x, y: x + y.sum() if x.shape[0] in y.shape else x,
    ],
)
def test_an_equality_that_jax_cannot_prove_is_warned_about(fn: Callable[..., Any]) -> None:
    with pytest.warns(SymbolicDimensionWarning, match=r'constraints=\["[BT] == [BT]"\]') as told:
        to_onnx(fn, [("B",), ("T",)])
    assert [w.filename for w in told] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_onnx(fn, [("B",), ("T",)], constraints=["B == T"])
        to_onnx(fn, [("B",), ("B",)])
        to_onnx(fn, [("B",), ("B + 1",)])
        to_onnx(fn, [("B",), ("2*B",)])


KERNEL = jnp.linspace(-1, 1, 3 * 3 * 4 * 4).reshape(3, 3, 4, 4)


def strided(x: Any, kernel: Any, padding: Any = "SAME") -> Any:
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (2, 2), padding, dimension_numbers=layout)


def residual(x: Any) -> Any:
    for _ in range(2):
        x = jnp.tanh(strided(x, KERNEL) + strided(x, KERNEL[:1, :1]))
    return x


def shortcut(x: Any) -> Any:
    return strided(x, KERNEL, [(1, 1), (1, 1)]) + x[:, ::2, ::2]


@pytest.mark.parametrize("fn", [residual, shortcut])
@pytest.mark.parametrize("height", [1, 8, 13])
def test_strides_that_always_give_equal_sizes(fn: Callable[..., Any], height: int) -> None:
    x = np.random.default_rng(0).normal(size=(1, height, 10, 4)).astype(np.float32)
    assert_agrees(fn, x, specs=[("B", "H", "W", 4)])


def upsampled(x: Any) -> Any:
    y = strided(x, KERNEL, [(1, 1), (1, 1)])
    return jnp.repeat(jnp.repeat(y, 2, 1), 2, 2) + x


def test_sizes_that_are_equal_for_some_inputs_get_a_name() -> None:
    text = message(upsampled, ("B", "H", "W", 4))
    assert 'name the axis "2*h" and "2*w"' in text
    x = np.ones((1, 6, 8, 4), np.float32)
    assert_agrees(upsampled, x, specs=[("B", "2*h", "2*w", 4)])


def windows(x: Any) -> Any:
    y = jnp.pad(x, ((0, 0), (0, -x.shape[1] % 4)))
    return jax.nn.softmax(y.reshape(y.shape[0], -1, 4)).reshape(y.shape)


@pytest.mark.parametrize(
    ("fn", "advice"),
    [
        (lambda x: lax.associative_scan(jnp.add, x), "jnp.cumsum"),
        (lambda x: jnp.zeros(len(x)), "x.shape[0] for len(x)"),
        (lambda x: lax.scan(lambda c, y: (c, y), 0, x, length=x.shape[0])[1], "leave out the len"),
        (windows, 'name the axis "4*n"'),
        (
            lambda x: jax.nn.dot_product_attention(
                *[x[..., None, None]] * 3, local_window_size=(1, 1)
            ),
            "mask=jnp.abs(i[:, None] - i) <= w",
        ),
    ],
)
def test_the_advice_says_what_to_write_instead(fn: Callable[..., Any], advice: str) -> None:
    assert advice in message(fn, ("B", "T"))


def test_the_mask_that_stands_for_a_local_window() -> None:
    def local(x: Any) -> Any:
        i = jnp.arange(x.shape[1])
        return jax.nn.dot_product_attention(x, x, x, mask=jnp.abs(i[:, None] - i) <= 2)

    x = np.random.default_rng(0).normal(size=(1, 7, 2, 4)).astype(np.float32)
    model = assert_agrees(local, x, specs=[("B", "T", 2, 4)])
    window = jax.nn.dot_product_attention(x, x, x, local_window_size=(2, 2))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    np.testing.assert_allclose(session.run(None, {"x": x})[0], window, rtol=1e-5, atol=1e-6)
