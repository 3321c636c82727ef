"""Sizes are equal to their text for all values of the variables."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import export

from jax2onnx.errors import LoweringError
from jax2onnx.graph.sizes import Dim, Size, known, product, quotient, shape_of

B, T, H = export.symbolic_shape("B, T, h", constraints=["T >= 2", "h >= 1"])


def size(expression: Any) -> Dim:
    (dim,) = shape_of([expression])
    assert isinstance(dim, int | Size)
    return dim


def value(dim: Dim | None, **variables: int) -> int:
    """Evaluate the text of a size, as a reader of the artifact does."""
    functions = {
        "floordiv": lambda a, b: a // b,
        "mod": lambda a, b: a % b,
        "max": max,
        "min": min,
    }
    text = str(dim if isinstance(dim, int) else dim and dim.value)
    return int(eval(text.replace("^", "**"), {**functions, **variables}))  # noqa: S307


SIZES = st.sampled_from([1, 2, 3, 12, B, T, 4 * H, B * T, T // 2, 2 * T + 2, B * (T - 1), T % 3])
VARIABLES = st.fixed_dictionaries(
    {"B": st.integers(1, 50), "T": st.integers(2, 50), "h": st.integers(1, 50)}
)


@settings(deadline=None)
@given(st.lists(SIZES, max_size=4), VARIABLES)
def test_product(expressions: list[Any], variables: dict[str, int]) -> None:
    sizes = [size(e) for e in expressions]
    expected = 1
    for each in sizes:
        expected *= value(each, **variables)
    assert value(product(sizes), **variables) == expected


@settings(deadline=None)
@given(SIZES, SIZES)
def test_quotient_undoes_the_product(one: Any, other: Any) -> None:
    a, b = size(one), size(other)
    whole = product((a, b))
    assert quotient(whole, b) == a
    assert quotient(whole, a) == b


@settings(deadline=None)
@given(SIZES, SIZES, VARIABLES)
def test_quotient_is_exact_or_none(one: Any, other: Any, variables: dict[str, int]) -> None:
    a, b = size(one), size(other)
    found = quotient(a, b)
    if found is not None:
        assert value(found, **variables) * value(b, **variables) == value(a, **variables)


@pytest.mark.parametrize(
    ("whole", "by", "expected"),
    [
        (3 * T, T, 3),
        (3 * T, 3, "T"),
        (B * T, B, "T"),
        (2 * T + 2, T + 1, 2),
        (12, 4, 3),
        (0, 4, 0),
        (T, T, 1),
        (T // 2, T // 2, 1),
        (T, 2, None),
        (T, B, None),
        (12, 5, None),
        (12, T, None),
        (T, 0, None),
        (0, 0, None),
    ],
)
def test_quotient(whole: Any, by: Any, expected: int | str | None) -> None:
    assert quotient(size(whole), size(by)) == expected


def test_sizes_are_equal_however_they_were_computed() -> None:
    a, b = size(B), size(T)
    assert product((a, b)) == product((b, a)) == size(B * T)
    assert product((2, a, 3)) == size(6 * B)
    assert product((size(T + 1), a)) == size(B * T + B)
    assert hash(product((b, a))) == hash(size(B * T))
    assert product((a, 0)) == 0
    assert product(()) == 1
    assert a != b
    assert a != 1


def test_the_artifact_has_jaxs_spelling_of_a_size() -> None:
    shape = shape_of([2, B, 4 * H, T // 2, B * T])
    assert [d if isinstance(d, int) else d.value for d in shape] == [
        2,
        "B",
        "4*h",
        "floordiv(T, 2)",
        "B*T",
    ]
    assert isinstance(shape, ir.Shape)


def test_known() -> None:
    assert known((2, 3)) == (2, 3)
    assert known(()) == ()
    assert known((2, Size(B))) is None


def test_a_number_is_no_name() -> None:
    assert shape_of([B, np.int64(10)]) == ir.Shape(["B", 10])
    with pytest.raises(LoweringError, match="give an int"):
        Size("10")
