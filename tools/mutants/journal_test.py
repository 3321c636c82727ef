"""Tests of the journal, the figures, and the list of equivalent mutants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tools.mutants import journal
from tools.mutants.journal import Equivalent, Journal, Row
from tools.mutants.mutators import mutants
from tools.mutants.suites import Suite, Table, suites_of

KILLED, SURVIVED = (
    Row.of(m, outcome, "a_test.py::test", 1.234)
    for m, outcome in zip(
        mutants("jax2onnx/a/b.py", "y = x < 1")[:2], ("killed", "survived"), strict=True
    )
)
ENTRY = Equivalent(SURVIVED.file, "", SURVIVED.before, SURVIVED.after, "x is never one.")


def test_the_last_outcome_of_a_mutant_counts(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "journal"
    kept = Journal(path)
    kept.add(KILLED)
    kept.add(SURVIVED)
    kept.add(replace(SURVIVED, outcome="killed"))
    again = Journal(path)
    assert list(again.rows.values()) == [KILLED, replace(SURVIVED, outcome="killed")]
    assert Journal(None).rows == {}


def test_equivalent_mutants_do_not_count() -> None:
    other = replace(SURVIVED, file="jax2onnx/a/c.py")
    killed, equivalent, survived = journal.classify([KILLED, SURVIVED, other], [ENTRY])
    assert (killed, list(equivalent), survived) == ([KILLED], [SURVIVED], [other])
    assert journal.share(9, 1) == 90
    assert journal.share(0, 0) == 100


def test_the_document_has_figures_and_reasons() -> None:
    other = replace(SURVIVED, file="exporters/parity/compare.py", after="")
    text = journal.render([KILLED, SURVIVED, other], [ENTRY], "the command", 77)
    assert "`the command`" in text
    assert "77 mutants" in text
    assert "| `jax2onnx/a` | 2 | 1 | 1 | 0 | 100.0% |" in text
    assert "| all | 3 | 1 | 1 | 1 | 50.0% |" in text
    assert f"`{SURVIVED.before}` becomes `{SURVIVED.after}`.\n  x is never one." in text
    assert f"`exporters/parity/compare.py`: `{SURVIVED.before}` is deleted." in text


def test_entries_that_match_no_mutant_are_found() -> None:
    stale = replace(ENTRY, before="z = 1")
    everything = mutants("jax2onnx/a/b.py", "y = x < 1")
    assert journal.stale(everything, [ENTRY, stale]) == [stale]


def test_every_entry_gives_a_reason() -> None:
    assert all(entry.reason.strip() for entry in journal.equivalents())


def test_the_tests_beside_a_file_and_in_the_table_cover_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b_test.py").touch()
    suites = (Suite("a/*", ("more", "a/b_test.py")), Suite("*", ("rest",)))
    table = Table(suites, later=(Suite("a/*", ("slow",)),))
    assert suites_of("a/b.py", tmp_path, table) == (("a/b_test.py", "more"), ("slow",))
    assert suites_of("c.py", tmp_path, table) == (("rest",),)
    with pytest.raises(LookupError, match=r"c_test\.py"):
        suites_of("c.py", tmp_path, Table(()))
