"""Sizes that are said to be equal are equal for every value of the variable."""

from __future__ import annotations

from typing import Any

import pytest
from jax import export

from jax2onnx.trace.equal_sizes import equal_multiples, equalities

H, W = export.symbolic_shape("H, W")


def half(size: Any) -> Any:
    """Return half of a size, rounded up, as JAX computes it for a stride of 2."""
    return -(-size // 2)


PAIRS: list[tuple[Any, Any, bool]] = [
    (half(H), (H - 1) // 2 + 1, True),
    (-(H // -2), (H - 1) // 2 + 1, True),
    (-(H // -3), (H - 1) // 2 + 1, False),
    ((H + 1) // 2, -(-H // 2), True),
    (half(half(H)), ((H - 1) // 2 + 1 - 1) // 2 + 1, True),
    ((H + 2) // 3, -(-H // 3), True),
    (H // 2, (H + 1) // 2, False),
    ((H + 3) // 4, (H + 2) // 4 + 1, False),
    (H // 64, H // 65, False),
    (H, W, False),
    (-(-H // 2), (W - 1) // 2 + 1, False),
]


def problem(left: Any, right: Any) -> str:
    return f"add got incompatible shapes for broadcasting: (B, {left}, 4), (B, {right}, 4)."


@pytest.mark.parametrize(("left", "right", "equal"), PAIRS)
def test_only_sizes_that_are_always_equal_get_a_constraint(
    left: Any, right: Any, equal: bool
) -> None:
    found = equalities(problem(left, right))
    assert len(found) == equal
    if found:
        scope = export.SymbolicScope(found)
        one, other = (export.symbolic_shape(str(e), scope=scope) for e in (left, right))
        assert one == other
        for value in range(1, 200):
            assert left._evaluate({"H": value}) == right._evaluate({"H": value})


def test_multiples() -> None:
    assert equal_multiples(problem(H, 2 * (H // 2))) == ['"2*h"']
    assert equal_multiples(problem(W, 8 * -(-W // 8))) == ['"8*w"']
    assert equal_multiples(problem(H, W)) == equal_multiples(problem(H, H + 1)) == []
