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


@dataclass(frozen=True)
class Table:
    """The suites of two kinds, in the order of ``suites.toml``.

    Attributes:
        suites: the tests that run for each mutant.
        later: slow tests, which run only for mutants that survive the others.

    """

    suites: tuple[Suite, ...]
    later: tuple[Suite, ...] = ()


def load() -> Table:
    """Return the table in ``suites.toml``."""
    table = tomllib.loads(Path(__file__).with_name("suites.toml").read_text("utf-8"))
    suites, later = (
        tuple(Suite(each["files"], tuple(each["tests"])) for each in table[kind])
        for kind in ("suite", "later")
    )
    return Table(suites, later)


def suites_of(file: str, root: Path, table: Table) -> tuple[tuple[str, ...], ...]:
    """Return the paths of the tests that cover ``file``, by stage; a stage runs after the last.

    The first stage begins with the test beside the file. An empty stage is left out.

    Raises:
        LookupError: No test covers the file.
    """
    path = PurePosixPath(file)
    beside = path.with_name(f"{path.stem}_test.py")
    own = (str(beside),) if (root / beside).exists() else ()
    first = tuple(dict.fromkeys((*own, *_matching(file, table.suites))))
    stages = tuple(stage for stage in (first, _matching(file, table.later)) if stage)
    if not stages:
        raise LookupError(
            f"no test is known for {file}. Write {beside.name} beside it, or name the tests that "
            "cover it in tools/mutants/suites.toml."
        )
    return stages


def _matching(file: str, suites: Sequence[Suite]) -> tuple[str, ...]:
    """Return the tests of the first suite whose pattern matches."""
    return next((each.tests for each in suites if fnmatch.fnmatch(file, each.files)), ())
