"""The documents are complete, and a sample of their rows is true (with ``--all``, every row)."""

from __future__ import annotations

import functools
import importlib
import re
import warnings
from collections import Counter

import jax
import jax.numpy as jnp
import pytest

from tests.coverage import document
from tests.coverage.example import Example
from tests.coverage.excluded import EXCLUDED, REASONS, REFUSED
from tests.coverage.introspect import LIBRARIES, Library
from tests.coverage.modes import MODES, Mode, verdict

EVERY = 97
"""The sample has every ``EVERY``-th case, and every case that fails according to its row."""

PASSING = 0.97
"""The minimum share of passing rows, among those that JAX can trace, by library and mode."""


SINCE_LATER_RELEASES = {"Key", "psum_scatter_start"}
"""Symbols that are excluded, and that the older of the supported releases lack."""


def _cases() -> list[tuple[Library, Example, Mode]]:
    return [
        (library, example, mode)
        for library in LIBRARIES
        for example in library.all_examples()
        for mode in MODES
    ]


@functools.cache
def row_of(library: Library, symbol: str) -> document.Row:
    """Return the row of a symbol, as it is checked in."""
    return next(row for row in document.read(library) if row.symbol == symbol)


def is_expected_to_fail(library: Library, example: Example, mode: Mode) -> bool:
    """Return whether the row of an example says that it fails in a mode."""
    if not document.is_of_this_release(library):
        return False
    row = row_of(library, example.symbol)
    if row.marks[MODES.index(mode)] != document.MARKS["failed"]:
        return False
    place = re.escape(f"{mode} {example.name.removeprefix(example.symbol)}".strip())
    listed = re.compile(rf"(.*, )?{place}(, .*)?: ")
    return any(listed.match(cause.replace("\\|", "|")) for cause in row.causes)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mode" in metafunc.fixturenames:
        every = _cases()
        chosen = every
        if not metafunc.config.getoption("--all"):
            chosen = [
                case for k, case in enumerate(every) if k % EVERY == 0 or is_expected_to_fail(*case)
            ]
        ids = [f"{library.name}-{example.name}-{mode}" for library, example, mode in chosen]
        metafunc.parametrize(("library", "example", "mode"), chosen, ids=ids)
    elif "library" in metafunc.fixturenames:
        metafunc.parametrize("library", LIBRARIES, ids=lambda library: library.name)


def test_an_example_agrees_with_its_row(library: Library, example: Example, mode: Mode) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The libraries warn.
        found = verdict(example, mode)
    if is_expected_to_fail(library, example, mode):
        assert found.status == "failed", "it passes now: generate the documents again"
    else:
        assert found.status != "failed", found.cause


def test_every_public_symbol_has_a_row_or_a_reason(library: Library) -> None:
    if not document.is_of_this_release(library):
        pytest.skip("the document was made with another release")
    text = document.path(library).read_text("utf-8")
    assert [row.symbol for row in document.read(library)] == library.traceable
    for symbol, reason in library.excluded().items():
        assert reason in REASONS
        assert f"`{symbol}`" in text


def test_examples_are_of_public_symbols_and_have_different_names(library: Library) -> None:
    examples = library.all_examples()
    assert {example.symbol for example in examples} <= set(library.symbols())
    assert [name for name, n in Counter(e.name for e in examples).items() if n > 1] == []


def test_excluded_symbols_are_public(library: Library) -> None:
    module = importlib.import_module(library.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # A newer release may deprecate a name, and hide it.
        names = EXCLUDED.get(library.name, {})
        missing = {name for name in names if not hasattr(module, name)}
    assert missing <= SINCE_LATER_RELEASES


@pytest.mark.parametrize(("library_name", "symbol"), REFUSED)
def test_jax_refuses_to_trace(library_name: str, symbol: str) -> None:
    with pytest.raises(jax.errors.ConcretizationTypeError):
        jax.jit(REFUSED[library_name, symbol])(jnp.ones(3))


def test_symbols_excluded_as_concrete_have_a_call_that_jax_refuses() -> None:
    concrete = {
        (library, symbol)
        for library, symbols in EXCLUDED.items()
        for symbol, reason in symbols.items()
        if reason == "concrete"
    }
    assert concrete == set(REFUSED)


def test_the_summary_matches_the_documents() -> None:
    assert (document.FOLDER / "README.md").read_text("utf-8") == document.summary()


def test_nearly_all_rows_pass(library: Library) -> None:
    rows = document.read(library)
    for k, mode in enumerate(MODES):
        passed, counted = document.counts(row.marks[k] for row in rows)
        assert passed >= PASSING * counted, (mode, passed, counted)
