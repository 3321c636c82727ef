from __future__ import annotations

import json
from typing import Any

import pytest

from exporters.drivers import request
from exporters.drivers.request import (
    VERSION,
    Derive,
    Export,
    Fetch,
    File,
    Parity,
    Request,
    RequestError,
    Synthesise,
    Weights,
)

FILE = File("model.safetensors", "0" * 64, 3)
WEIGHTS = Weights("weights:w", "MIT", "made up", (FILE,), folder="__weights/0")
EXPORT = Export(
    "exporters:m", "a:b", {"batch": "B", "deep": [1, None]}, WEIGHTS, 23, "hub", "out/m.onnx"
)
STORED = Weights("weights:w", "MIT", "made up", (FILE, FILE), store="cache")
PARITY = Parity("e:t", "a:b", {}, STORED, "m.onnx", "flat", "a:c", None, "cpu", 0.0, 1e-4, "r.json")
SYNTHESISE = Synthesise("weights:s", "a:b", {"layers": 1}, 7, "out", "cache", 100)
DERIVE = Derive("weights:d", "a:b", STORED, "out", "cache", 100)
FETCH = Fetch("weights:w", "https://example.org", (FILE,), "cache", ("/a", "/b"))


@pytest.mark.parametrize(
    "sent", [EXPORT, PARITY, SYNTHESISE, DERIVE, FETCH], ids=lambda r: r.action
)
def test_a_request_arrives_as_it_was_sent(sent: Request) -> None:
    assert request.from_json(request.to_json(sent)) == sent


def test_the_text_does_not_depend_on_the_order_of_options() -> None:
    one = Export("e:m", "a:b", {"x": 1, "y": 2}, WEIGHTS, 23, "flat", "m.onnx")
    other = Export("e:m", "a:b", {"y": 2, "x": 1}, WEIGHTS, 23, "flat", "m.onnx")
    assert request.to_json(one) == request.to_json(other)


def test_integers_are_accepted_as_numbers() -> None:
    document = {**json.loads(request.to_json(PARITY)), "atol": 1}
    read = request.from_json(json.dumps(document))
    assert isinstance(read, Parity)
    assert (type(read.atol), read.atol) == (float, 1.0)


def changed(sent: Request, path: str, value: Any) -> str:
    """Return the text of a request with one member replaced; ... removes it."""
    document = json.loads(request.to_json(sent))
    *parents, last = path.split(".")
    inner = document
    for name in parents:
        inner = inner[int(name) if name.isdecimal() else name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("sent", "path", "value", "message"),
    [
        (EXPORT, "version", VERSION + 1, f"version {VERSION + 1} and this side reads version"),
        (EXPORT, "version", ..., "version: the request is of version None"),
        (
            EXPORT,
            "action",
            "explode",
            "one of export, parity, .*, fetch, found 'explode'",
        ),
        (EXPORT, "action", ["export"], "one of export, parity, .*, found "),
        (EXPORT, "opset", ..., "opset: this member is missing"),
        (EXPORT, "opset", "23", "opset: expected an integer, found '23'"),
        (EXPORT, "opset", True, "opset: expected an integer, found True"),
        (EXPORT, "opset", None, "opset: expected an integer, found None"),
        (EXPORT, "options", [], r"options: expected an object, found \[\]"),
        (EXPORT, "extra", 1, "extra: this member is unknown"),
        (EXPORT, "action", "parity", "atol: this member is missing"),
        (EXPORT, "weights", ..., "weights: this member is missing"),
        (EXPORT, "weights", [], r"weights: expected an object, found \[\]"),
        (EXPORT, "weights.licence", 3, r"weights\.licence: expected a string, found 3"),
        (EXPORT, "weights.store", "s", "weights: give exactly one of folder and store"),
        (EXPORT, "weights.folder", None, "weights: give exactly one of folder and store"),
        (EXPORT, "weights.files.0.size", 1.5, r"weights\.files\[0\]\.size: expected an integer"),
        (EXPORT, "weights.files.0.sha256", ..., r"weights\.files\[0\]\.sha256: .* is missing"),
        (EXPORT, "weights.files.0.mode", 1, r"weights\.files\[0\]\.mode: .* is unknown"),
        (EXPORT, "weights.files", {}, r"weights\.files: expected a list, found"),
        (PARITY, "data", 3, "data: expected a string or null, found 3"),
        (PARITY, "rtol", "0", "rtol: expected a number, found '0'"),
        (FETCH, "folders", ["/a", 3], r"folders\[1\]: expected a string, found 3"),
    ],
)
def test_a_request_that_does_not_follow_the_schema_is_refused_in_one_line(
    sent: Request, path: str, value: Any, message: str
) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        request.from_json(changed(sent, path, value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", r"the request: expected an object, found \[\]"),
        ("{", "the document is not valid JSON"),
    ],
)
def test_other_documents_are_refused(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        request.from_json(text)


def test_a_number_that_json_cannot_represent_is_not_sent() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        request.to_json(Export("e:m", "a:b", {"x": float("nan")}, WEIGHTS, 23, "flat", "m.onnx"))


def test_a_listing_of_files() -> None:
    assert request.files_from_json(request.files_to_json([FILE, FILE])) == (FILE, FILE)
    with pytest.raises(RequestError, match=r"files\[0\]: expected an object, found 3"):
        request.files_from_json("[3]")
