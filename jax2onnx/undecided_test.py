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
import pytest
from jax import lax

from jax2onnx import SymbolicDimensionError, SymbolicDimensionWarning, to_onnx

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
        lambda x: lax.associative_scan(jnp.add, x),
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
