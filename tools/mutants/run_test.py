"""The command runs on a small package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import mutants

CODE = """
def more(x, loop):
    while loop:
        loop = False
    return x + 1
"""

TESTS = """
from pack.code import more

def test_more():
    assert more(1, True) == 2
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "code.py").write_text(CODE)
    (folder / "code_test.py").write_text(TESTS)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    return tmp_path


def run(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    repository = Path(mutants.__file__).parents[2]
    journal = str(root / "journal.jsonl")
    command = [sys.executable, "-m", "tools.mutants", "--root", str(root), "--paths", "pack"]
    return subprocess.run(
        [*command, "--sample", "0", "--journal", journal, "--grace", "1", *options],
        env={**os.environ, "PYTHONPATH": str(repository)},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


def test_mutants_are_killed_or_survive_and_the_checkout_is_unchanged(package: Path) -> None:
    done = run(package)
    assert "Traceback" not in done.stderr, done.stderr
    rows = [json.loads(line) for line in (package / "journal.jsonl").read_text().splitlines()]
    outcomes = {row["after"]: row["outcome"] for row in rows}
    assert outcomes == {
        "while False": "survived",
        "loop = True": "timeout",
        "return None": "killed",
        "return x - 1": "killed",
        "return x + 2": "killed",
        "return x + 0": "killed",
    }
    assert done.returncode == 1
    assert "6 mutants: 5 killed, 0 equivalent, 1 survived; 83.3% of" in done.stdout
    killers = {row["killer"] for row in rows if row["outcome"] == "killed"}
    assert killers == {"pack/code_test.py::test_more"}
    assert (package / "pack" / "code.py").read_text() == CODE
    assert not list(package.rglob("__pycache__"))
    assert "[1/1] survived" in run(package, "--survivors", "--jobs", "2").stdout


def test_tests_that_fail_without_a_mutant_stop_the_run(package: Path) -> None:
    (package / "pack" / "code_test.py").write_text(TESTS.replace("== 2", "== 3"))
    assert "code_test.py fails without a mutant" in run(package).stderr
