"""The catalogue's area of BUILD files: fields of wrong types and values, and what each must say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.target import (
    InvalidFieldException,
    InvalidTargetException,
    Target,
)

from onnx_export.models.target_types import OnnxModelTarget
from onnx_export.parity.target_types import OnnxParityTestTarget
from onnx_export.weights.target_types import (
    PinnedWeightsTarget,
    SafetensorsWeightsTarget,
    SyntheticWeightsTarget,
    WheelWeightsTarget,
)

HERE = Address("models", target_name="tiny")
_ABOUT: dict[str, Any] = {"licence": "MIT", "source": "a test"}
GOOD: dict[type[Target], dict[str, Any]] = {
    OnnxModelTarget: {"exporter": "m.exp:export", "weights": ":w"},
    OnnxParityTestTarget: {"model": ":tiny", "reference": "m.ref:same"},
    PinnedWeightsTarget: {"pins": "p.json", **_ABOUT},
    SafetensorsWeightsTarget: {"files": ["*.safetensors"], **_ABOUT},
    SyntheticWeightsTarget: {"generator": "m.gen:make", "config": "c.json", **_ABOUT},
    WheelWeightsTarget: {"resolve": "wheel", "folder": "a/b", **_ABOUT},
}

NO_TEXTS: tuple[Any, ...] = (1, 1.5, True, [], ["a"], {}, {"a": 1}, b"a", object())
NO_FUNCTIONS: tuple[Any, ...] = (
    *NO_TEXTS,
    "",
    "m",
    "m:",
    ":f",
    "m:f:g",
    "m/exp.py:f",
    "m.exp:f()",
    "m exp:f",
    "m..exp:f",
    "../m:f",
    "\x1b[31m:f",
    "m:1",
)
NO_ADDRESSES: tuple[Any, ...] = (1, True, [], [":w"], {}, "", (), b":w")
NO_NUMBERS: tuple[Any, ...] = ("1", [], {}, "x", b"1")
NO_TOLERANCES: tuple[Any, ...] = (
    "1",
    "x",
    [],
    {},
    -1,
    -1e-9,
    float("nan"),
    float("inf"),
    float("-inf"),
    10**400,
)
NO_OPTIONS: tuple[Any, ...] = (
    "a",
    1,
    [],
    ["a"],
    [("a", 1)],
    {1: "a"},
    {None: 1},
    {"a": object()},
    {"a": float("nan")},
    {"a": float("inf")},
    {"a": b"b"},
    {"a": {1: 2}},
    {"a": [object()]},
    {"a": {"b": {"c": float("-inf")}}},
    {"a": {"b"}},
    {("a",): 1},
)
NO_PATHS: tuple[Any, ...] = (
    1,
    [],
    {},
    "m.onnx",
    "/m/m.onnx",
    "../m/m.onnx",
    "a/../m.onnx",
    "a/m",
    "a/m.pb",
    "a//m.onnx",
    "./m.onnx",
    "a/./m.onnx",
)
NO_URLS: tuple[Any, ...] = (
    1,
    [],
    {},
    "http://h/a",
    "ftp://h/a",
    "/srv",
    "h",
    "",
    "HTTPS://h",
    " https://h",
    "hf:a/b",
    "s3://b",
    "javascript:1",
)

CASES: tuple[tuple[type[Target], str, tuple[Any, ...]], ...] = (
    (OnnxModelTarget, "exporter", NO_FUNCTIONS),
    (OnnxModelTarget, "weights", NO_ADDRESSES),
    (OnnxModelTarget, "options", NO_OPTIONS),
    (OnnxModelTarget, "opset", (*NO_NUMBERS, 0, -1, 1.5)),
    (OnnxModelTarget, "resolve", NO_TEXTS),
    (OnnxModelTarget, "output_path", NO_PATHS),
    (OnnxParityTestTarget, "model", NO_ADDRESSES),
    (OnnxParityTestTarget, "reference", NO_FUNCTIONS),
    (OnnxParityTestTarget, "data", NO_ADDRESSES),
    (OnnxParityTestTarget, "execution_provider", (*NO_TEXTS, "gpu", "CPU", "", "cuda ")),
    (OnnxParityTestTarget, "atol", NO_TOLERANCES),
    (OnnxParityTestTarget, "rtol", NO_TOLERANCES),
    (PinnedWeightsTarget, "pins", (1, [], {}, True)),
    (PinnedWeightsTarget, "url", NO_URLS),
    (PinnedWeightsTarget, "licence", NO_TEXTS),
    (SafetensorsWeightsTarget, "files", (1, "*.safetensors", True, [1], [None])),
    (SafetensorsWeightsTarget, "source", NO_TEXTS),
    (SyntheticWeightsTarget, "generator", NO_FUNCTIONS),
    (SyntheticWeightsTarget, "config", (1, [], {}, True)),
    (SyntheticWeightsTarget, "seed", (*NO_NUMBERS, 1.5)),
    (WheelWeightsTarget, "resolve", NO_TEXTS),
    (WheelWeightsTarget, "folder", NO_TEXTS),
    (WheelWeightsTarget, "files", (1, "*.json", True, [1], [None])),
)


def wrong_values() -> Iterator[Any]:
    for kind, field, values in CASES:
        for number, value in enumerate(values):
            yield pytest.param(kind, field, value, id=f"{kind.alias}-{field}-{number}")


@pytest.mark.parametrize(("kind", "field", "value"), wrong_values())
def test_wrong_values(kind: type[Target], field: str, value: Any) -> None:
    with pytest.raises((InvalidFieldException, InvalidTargetException)) as caught:
        kind({**GOOD[kind], field: value}, HERE)
    message = str(caught.value)
    assert repr(field) in message
    assert str(HERE) in message
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", message)
    assert len(message) < 2_000


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind, fields in GOOD.items() for field in fields]
)
def test_missing_fields(kind: type[Target], field: str) -> None:
    rest = {name: value for name, value in GOOD[kind].items() if name != field}
    with pytest.raises(InvalidTargetException, match=f"The {field!r} field in target .* must be"):
        kind(rest, HERE)


@pytest.mark.parametrize("kind", GOOD)
def test_unknown_fields(kind: type[Target]) -> None:
    kind(GOOD[kind], HERE)
    with pytest.raises(InvalidTargetException, match="gone"):
        kind({**GOOD[kind], "gone": 1}, HERE)
