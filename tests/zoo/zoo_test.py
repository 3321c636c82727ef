"""A sample of the models of light libraries, and the command's handling of outcomes."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import pytest

from jax2onnx import to_onnx
from tests.coverage.example import f
from tests.primitives.tolerances import DisagreementError
from tests.zoo import processes
from tests.zoo.catalogue import GROUPS, LIBRARIES, Library
from tests.zoo.judge import Attempt
from tests.zoo.model import Model, of
from tests.zoo.outcome import TOO_LONG, Outcome, Outcomes
from tests.zoo.page import PAGE, render
from tests.zoo.worker import models

LIGHT = [library for library in LIBRARIES if library.light]
EVERY = 4
"""The sample has every ``EVERY``-th model of the light libraries."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "model" in metafunc.fixturenames:
        every = [(library, model) for library in LIGHT for model in models(library)]
        chosen = every if metafunc.config.getoption("--all") else every[::EVERY]
        ids = [f"{library.name}-{model.name}" for library, model in chosen]
        metafunc.parametrize("model", [model for _, model in chosen], ids=ids)


def test_a_model_agrees(model: Model) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The libraries warn.
        Attempt(model, to_onnx).run()


def _identity_of(fn: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Convert the identity function in place of the given one."""
    return to_onnx(lambda x: x, *arguments, **options)


@pytest.mark.parametrize(
    ("fn", "convert", "stage", "error"),
    [
        (jnp.sin, _identity_of, "compare", DisagreementError),
        (lambda x: x.missing, to_onnx, "jax", AttributeError),
        (jnp.sin, lambda *a, **k: 1 / 0, "convert", ZeroDivisionError),
    ],
)
def test_an_attempt_records_the_stage_that_failed(
    fn: Callable[..., Any], convert: Callable[..., Any], stage: str, error: type[Exception]
) -> None:
    attempt = Attempt(of("model", fn, f(2, 3)), convert)
    with pytest.raises(error):
        attempt.run()
    assert attempt.stage == stage


LIBRARY = Library("flax.nnx", "flax", "flax_nnx", "core")


def _worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Have a program run in place of the worker, which finds the journal's path in ``journal``."""
    start = "import sys, json, os; journal = sys.argv[3]; chosen = sys.argv[4:]\n"
    add = "def add(**line): open(journal, 'a').write(json.dumps(line) + chr(10))\n"
    monkeypatch.setattr(processes, "_START", {"ours": start + add})
    monkeypatch.setattr(processes, "_WORKER", code)


HEAD = "add(versions={}, models=['a', 'b', 'c'])\n"
ONE_A_PROCESS = """
name = (chosen or ['a'])[0]
add(model=name, stage='convert')
if name == 'b':
    os._exit(STATUS)
add(outcome={'model': name, 'stage': 'done'})
"""


@pytest.mark.parametrize(
    ("status", "reason"), [(TOO_LONG, "it took more than 600 s"), (3, "ended with status 3")]
)
def test_a_model_that_ends_the_process_fails_and_the_others_are_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, reason: str
) -> None:
    _worker(tmp_path, monkeypatch, HEAD + ONE_A_PROCESS.replace("STATUS", str(status)))
    outcomes, declared = processes.judged(Path(sys.executable), LIBRARY, "ours")
    assert declared == ["a", "b", "c"]
    assert [(o.model, o.stage) for o in outcomes.models] == [
        ("a", "done"),
        ("b", "convert"),
        ("c", "done"),
    ]
    assert reason in outcomes.models[1].reason


def test_a_library_that_cannot_be_imported_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _worker(tmp_path, monkeypatch, "import a_missing_library")
    with pytest.raises(processes.WorkerError, match="a_missing_library"):
        processes.judged(Path(sys.executable), LIBRARY, "ours")


def test_the_worker_judges_the_chosen_models(tmp_path: Path) -> None:
    outcomes, declared = processes.judged(
        Path(sys.executable), LIBRARIES[0], "ours", ["outer product", "dead random key"]
    )
    assert [(o.model, o.stage) for o in outcomes.models] == [
        ("outer product", "done"),
        ("dead random key", "done"),
    ]
    assert len(declared) > len(outcomes.models)
    outcomes.save(tmp_path / "results" / "jax.json")
    assert Outcomes.load(tmp_path / "results" / "jax.json") == outcomes


def test_outcomes_of_a_later_run_replace_earlier_ones() -> None:
    earlier = Outcomes({}, (Outcome("a", "done"), Outcome("b", "run"), Outcome("gone", "run")))
    later = Outcomes({}, (Outcome("b", "done"),))
    assert later.after(earlier, ["b", "a", "c"]).models == (
        Outcome("b", "done"),
        Outcome("a", "done"),
    )


def test_a_known_failure_that_agrees_is_unexpected() -> None:
    assert Outcome("a", "done").as_expected
    assert Outcome("a", "run", known="a reason").as_expected
    assert not Outcome("a", "done", known="a reason").as_expected
    assert not Outcome("a", "run").as_expected


def test_the_page_shows_both_exporters_and_the_reasons() -> None:
    versions = {"flax": "1.0", "jax": "0.12"}
    good = Outcome("a", "done", "", 7, 0.25)
    ours = Outcomes(versions, (good, Outcome("b", "run", "KeyError: x", known="a | b")))
    public = Outcomes(versions, (Outcome("a", "convert", "KeyError: <y>"),))
    page = render([LIBRARY], {("flax.nnx", "ours"): ours, ("flax.nnx", "public"): public})
    assert [line for line in page.splitlines() if line.startswith("| flax")] == [
        "| flax.nnx | 1.0 | 0.12 | 2 | 1 | 0 of 1 |",
        "| flax.nnx | a | ✓ | 7 | 0.25 | ✗ | | | public, convert: KeyError: &lt;y> |",
        "| flax.nnx | b | ✗ | | | | | | ours, run: a \\| b |",
    ]


def test_every_library_is_in_a_group_and_has_a_module() -> None:
    folder = Path(__file__).parent / "libraries"
    modules = {library.module for library in LIBRARIES}
    assert {path.stem for path in folder.glob("*.py")} == modules | {"__init__"}
    assert {library.group for library in LIBRARIES} == {group.name for group in GROUPS}


def _rows() -> list[list[str]]:
    """Return the cells of the page's rows of models."""
    lines = PAGE.read_text("utf-8").partition("| library | model |")[2].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_page_has_every_model_of_the_light_libraries() -> None:
    held = {(library, model) for library, model, *_ in _rows()}
    declared = {(library.name, model.name) for library in LIGHT for model in models(library)}
    assert declared <= held


def test_nearly_all_models_of_many_libraries_agree_and_failures_have_reasons() -> None:
    rows = _rows()
    assert len({library for library, *_ in rows}) >= 25
    assert len(rows) >= 150
    failed = [row for row in rows if row[2] != "✓"]
    assert len(failed) <= 0.03 * len(rows)
    assert all("ours, " in row[-1] for row in failed)
