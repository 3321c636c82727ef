from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from jax2onnx.jax_internals import TESTED
from tools.matrix import columns
from tools.matrix.columns import COLUMNS, NEWEST, ROOT, Column, ColumnError, interpreter
from tools.matrix.suites import SUITES, Result, Suite, counts
from tools.matrix.table import cell, render

VERSIONS = {
    "CPython": "3.12.1",
    "jax": "0.11.2",
    "flax": "0.12.12",
    "equinox": "0.13.8",
    "numpy": "2.5.0",
    "onnxruntime": "1.32.0",
}


def _report(**numbers: int) -> str:
    shown = " ".join(f'{name}="{count}"' for name, count in numbers.items())
    return f'<testsuites><testsuite name="pytest" {shown}></testsuite></testsuites>'


def test_counts_of_a_report() -> None:
    assert counts(_report(tests=10, failures=2, errors=1, skipped=3)) == (4, 3, 3)


def test_a_run_without_tests_is_an_error() -> None:
    with pytest.raises(ValueError, match="no tests"):
        counts(_report(tests=0, failures=0, errors=0, skipped=0))


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (None, ""),
        (Result(7, 0, 1, True, VERSIONS), "7"),
        (Result(7, 0, 0, False, VERSIONS), "7 (sample)"),
        (Result(7, 2, 0, True, VERSIONS), "**7 of 9**"),
    ],
)
def test_a_cell(result: Result | None, text: str) -> None:
    assert cell(result) == text


def test_the_page_has_a_row_for_each_column_that_ran() -> None:
    columns = [Column("a", "3.12", "jax"), Column("b", "3.13", "jax")]
    suites = [Suite("one", ("x",)), Suite("two", ("y",), sampled=True)]
    page = render(columns, suites, {("a", "two"): Result(5, 1, 0, False, VERSIONS)})
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert rows == [
        "| CPython | jax | flax | equinox | numpy | onnxruntime | one | two |",
        "|---|---|---|---|---|---|---|---|",
        "| 3.12.1 | 0.11.2 | 0.12.12 | 0.13.8 | 2.5.0 | 1.32.0 | | **5 of 6** (sample) |",
    ]


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    result = Result(1, 2, 3, False, VERSIONS)
    result.save(tmp_path / "column" / "suite.json")
    assert Result.load(tmp_path / "column" / "suite.json") == result


def test_every_tested_release_of_jax_has_a_column() -> None:
    oldest, newest = TESTED
    requirements = [column.jax for column in COLUMNS]
    assert any(f">={oldest}," in requirement for requirement in requirements)
    after = int(newest.partition(".")[2]) + 1
    assert {r.partition(",")[2] for r in requirements} == {f"<0.{n}" for n in range(11, after + 1)}
    assert [c.name for c in COLUMNS if not c.optional][-1] == NEWEST


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a checkout: a sandbox lacks files")
def test_the_paths_of_the_suites_exist() -> None:
    for suite in SUITES:
        for path in (*suite.paths, *suite.quick):
            assert (ROOT / path).exists(), path


def test_a_missing_interpreter_is_reported() -> None:
    with pytest.raises(ColumnError, match=r"no CPython 9\.9"):
        interpreter("9.9")


def test_an_environment_is_made_once_for_the_same_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, uv = tmp_path / "log", tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(f'#!/bin/sh\necho "$1" >> {log}\nmkdir -p {tmp_path}/environment\n')
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(uv.parent), prepend=os.pathsep)
    monkeypatch.setattr(columns, "interpreter", lambda version: Path(sys.executable))
    for packages in (["jax"], ["jax"], ["jax", "flax"]):
        python = columns.made(tmp_path / "environment", "3.12", packages)
        assert python == tmp_path / "environment" / "bin" / "python"
    assert log.read_text().split() == ["venv", "pip"] * 2
