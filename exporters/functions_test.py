from __future__ import annotations

from typing import Any

import pytest

from exporters import functions
from exporters.errors import ExportError


def exporter(checkpoint: str, *, batch: int = 1, **more: Any) -> tuple[str, int, dict[str, Any]]:
    return checkpoint, batch, more


def strict(checkpoint: str, data: str | None, *, sequence: int) -> int:
    return sequence


def test_find() -> None:
    assert functions.find("exporters.functions:find", "exporter") is functions.find


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nowhere.at.all:f", "there is no module nowhere"),
        ("exporters.nowhere:f", "there is no module exporters.nowhere"),
        ("exporters.functions:fnid", r"no function 'fnid' \(did you mean 'find'\?\)"),
        ("exporters.functions", "has no function ''"),
    ],
)
def test_a_missing_function_is_explained(reference: str, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        functions.find(reference, "exporter")


def test_a_mistake_inside_the_module_keeps_its_traceback(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imports_a_missing_module.py").write_text("import not_there_at_all")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all"):
        functions.find("imports_a_missing_module:f", "exporter")


def test_call_passes_options() -> None:
    given = {"batch": 3, "other": 4}
    assert functions.call(exporter, "m:f", ["c"], given) == ("c", 3, {"other": 4})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sequenc": 3}, r"m:f has no option 'sequenc' \(did you mean 'sequence'\?\)"),
        ({"x": 3}, r"m:f has no option 'x'. It takes sequence."),
        ({}, "cannot be called with these options: .*'sequence'"),
        ({"data": 1, "sequence": 2}, "has no option 'data'"),
    ],
)
def test_wrong_options_are_explained(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        functions.call(strict, "m:f", ["c", None], options)


def test_accepted_options() -> None:
    options = {"sequence": 1, "batch": 2, "data": 3}
    assert functions.accepted(strict, options, positional=2) == {"sequence": 1}
    assert functions.accepted(exporter, options, positional=1) == options
