from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from exporters.errors import ExportError
from exporters.model.config import ConfigReader

Take = Callable[[ConfigReader], object]


@pytest.mark.parametrize(
    ("value", "take", "expected"),
    [
        (7, lambda r: r.integer("key"), 7),
        (0, lambda r: r.integer("key", minimum=0), 0),
        (1, lambda r: r.positive("key"), 1.0),
        (1e-12, lambda r: r.positive("key"), 1e-12),
        (False, lambda r: r.flag("key"), False),
        ("gelu", lambda r: r.choice("key", ["silu", "gelu"]), "gelu"),
        (16, lambda r: r.pair("key"), (16, 16)),
        ([16, 8], lambda r: r.pair("key"), (16, 8)),
        ("absolute", lambda r: r.fixed("key", "absolute"), None),
    ],
)
def test_takes_a_value(value: Any, take: Take, expected: object) -> None:
    reader = ConfigReader({"key": value}, "config.json")
    assert take(reader) == expected
    reader.finish([])


@pytest.mark.parametrize(
    ("value", "take", "expected"),
    [
        ("7", lambda r: r.integer("key"), "key is '7', but it must be an integer of at least 1"),
        (True, lambda r: r.integer("key"), "key is True"),
        (0, lambda r: r.integer("key"), "key is 0"),
        (7.0, lambda r: r.integer("key"), "key is 7.0"),
        (0.0, lambda r: r.positive("key"), "key is 0.0, but it must be a positive number"),
        (float("nan"), lambda r: r.positive("key"), "key is nan"),
        (True, lambda r: r.positive("key"), "key is True"),
        (None, lambda r: r.positive("key"), "key is None"),
        (1, lambda r: r.flag("key"), "key is 1, but it must be true or false"),
        ("relu", lambda r: r.choice("key", ["silu", "gelu"]), "it must be 'gelu' or 'silu' here"),
        (1, lambda r: r.choice("key", [True]), "key is 1, but it must be True"),
        (["a"], lambda r: r.choice("key", ["a"]), "key is ['a']"),
        ([16], lambda r: r.pair("key"), "positive integer or [height, width]"),
        ([16, 0], lambda r: r.pair("key"), "key is [16, 0]"),
        (16.0, lambda r: r.pair("key"), "key is 16.0"),
        ("relative", lambda r: r.fixed("key", "absolute"), "it must be 'absolute' here"),
    ],
)
def test_refuses_a_value(value: Any, take: Take, expected: str) -> None:
    with pytest.raises(ExportError) as caught:
        take(ConfigReader({"key": value}, "checkpoint/config.json"))
    assert str(caught.value).startswith("checkpoint/config.json: key is ")
    assert expected in str(caught.value)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(
        ExportError, match=r"config.json has no 'depth', which the model needs: rest"
    ):
        ConfigReader({}, "config.json").integer("depth")


def test_a_fixed_key_may_be_absent() -> None:
    ConfigReader({}, "config.json").fixed("is_decoder", False)


def test_refuses_a_key_that_was_not_read() -> None:
    reader = ConfigReader({"depth": 1, "dtype": "float32", "dropout": 0, "twist": 3}, "config.json")
    reader.integer("depth")
    with pytest.raises(ExportError, match="twist is 3, but it is not known to this exporter"):
        reader.finish(["dropout"])
