from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Optional

import pytest

from exporters.annotations import accepts, described, hints


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (bool, [True, False], [1, 0, "False", None]),
        (int, [0, -3], [True, 1.0, "1", None]),
        (float, [0, 1.5], [True, "1", None]),
        (str, ["", "B"], [1, None, ["B"]]),
        (int | str, [1, "B"], [1.5, True, None]),
        (Optional[int], [1, None], ["1"]),  # noqa: UP045  # users write it
        (Literal["all", "last", 3], ["all", 3], ["al", 3.0, "3", None]),
        (Sequence[int | str], [[], [1, "h"], (2,)], ["h", [1.5], None]),
        (list[list[int]], [[[1], []]], [[1]]),
        (Mapping[str, int], [{"a": 1}], [{"a": "1"}, [1]]),
        (Any, [1, None, {}], []),
        (bytes, ["anything"], []),
    ],
)
def test_json_values_are_held_against_annotations(
    hint: Any, good: list[Any], bad: list[Any]
) -> None:
    assert all(accepts(hint, value) for value in good)
    assert not any(accepts(hint, value) for value in bad)


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (bool, "true or false"),
        (int | str | None, "a whole number, a text or null"),
        (Literal["all", "last"], "'all' or 'last'"),
        (Sequence[int], "a list whose items are each a whole number"),
        (dict[str, float], "an object whose values are each a number"),
    ],
)
def test_annotations_have_words(hint: Any, words: str) -> None:
    assert described(hint) == words


def test_annotations_that_cannot_be_found_are_no_annotations() -> None:
    def function(x: Missing) -> None:  # type: ignore[name-defined]  # noqa: F821
        del x

    assert hints(function) == {}
