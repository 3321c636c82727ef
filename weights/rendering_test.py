"""Foreign text is printed bounded and harmless."""

import pytest

from weights.errors import WeightsError
from weights.rendering import quoted, rendered


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain: ä, 日本, 😀", "plain: ä, 日本, 😀"),
        ("two\nlines", "two\nlines"),
        ("\x1b[31mred\x07\r\t", "\\x1b[31mred\\x07\\r\\t"),
        ("\u202eabc\u2066", "\\u202eabc\\u2066"),
        ("\udcff", "\\udcff"),
        ("\x9b1A", "\\x9b1A"),
        ("", ""),
    ],
)
def test_characters(text: str, expected: str) -> None:
    assert rendered(text) == expected
    assert str(WeightsError(text)) == expected


def test_bounds() -> None:
    assert rendered("a" * 2000) == "a" * 2000
    line = rendered(f"begin{'a' * 5_000_000}end")
    assert line.startswith("beginaaa")
    assert line.endswith("aaaend")
    assert len(line) < 2_100
    lines = rendered("\n".join(map(str, range(1_000)))).split("\n")
    assert len(lines) == 201
    assert lines[0] == "0"
    assert lines[-1] == "999"
    assert lines[100] == "... (800 lines left out) ..."


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "'a'"),
        (3, "3"),
        (None, "None"),
        ([1, "b"], "[1, 'b']"),
    ],
)
def test_values(value: object, expected: str) -> None:
    assert quoted(value) == expected


def test_values_of_any_size() -> None:
    assert quoted(10**5000) == "<an integer of 16,610 bits>"
    assert quoted(10**5000) == "<an integer of 16,610 bits>"
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (deep, "x" * 10**7, {str(n): n for n in range(10**5)}, [[0] * 1000] * 1000):
        assert len(quoted(value)) < 300
    while deep:  # so that Python does not recurse when it frees the list
        deep = deep.pop()  # type: ignore[assignment]
