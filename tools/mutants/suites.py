"""The tests that cover a file."""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Suite:
    """Tests that cover the files of a pattern, in addition to the test beside each file."""

    files: str
    tests: tuple[str, ...]


def load() -> list[Suite]:
    """Return the table in ``suites.toml``."""
    text = Path(__file__).with_name("suites.toml").read_text("utf-8")
    return [Suite(each["files"], tuple(each["tests"])) for each in tomllib.loads(text)["suite"]]


def suite_of(file: str, root: Path, suites: Sequence[Suite]) -> tuple[str, ...]:
    """Return the paths of the tests that cover ``file``, the one beside it first.

    Raises:
        LookupError: No test covers the file.
    """
    path = PurePosixPath(file)
    beside = path.with_name(f"{path.stem}_test.py")
    found = [str(beside)] if (root / beside).exists() else []
    for suite in suites:
        if fnmatch.fnmatch(file, suite.files):
            found += [each for each in suite.tests if each not in found]
            break
    if not found:
        raise LookupError(
            f"no test is known for {file}. Write {beside.name} beside it, or name the tests that "
            "cover it in tools/mutants/suites.toml."
        )
    return tuple(found)
