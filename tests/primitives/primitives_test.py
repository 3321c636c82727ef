"""JAX's own test cases agree on ONNX Runtime: two of each group, or with ``--all`` all cases."""

from __future__ import annotations

import re
from pathlib import Path

import jax
import numpy as np
import onnx
import pytest

from jax2onnx.checks.runtime import run
from tests.primitives import document
from tests.primitives.cases import Case, groups, sample
from tests.primitives.judge import RUNTIME_ERRORS, Stage, judge, load
from tests.primitives.known import LIMITS, Limit, reason_of
from tests.primitives.tolerances import WIDER

SAMPLE = 2
"""The number of cases of each group in the sample."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        every = [case for cases in groups().values() for case in cases]
        known = [case for case in every if reason_of(case.name)]
        wider = [case for case in every if case.name in WIDER]
        chosen = every if metafunc.config.getoption("--all") else [*sample(SAMPLE), *known, *wider]
        unique = {case.name: case for case in chosen}
        metafunc.parametrize("case", unique.values(), ids=unique)


def test_case(case: Case) -> None:
    verdict, reason = judge(case), reason_of(case.name)
    if verdict.stage is Stage.JAX:
        limits = case.harness.jax_unimplemented
        assert any(x.filter(device="cpu", dtype=case.harness.dtype) for x in limits), verdict
    elif reason is not None:
        assert verdict.stage is not Stage.PASSED, f"passes now; remove it from known.py: {reason}"
    else:
        assert verdict.stage is Stage.PASSED, str(verdict)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.reason)
def test_the_runtime_has_this_limit(limit: Limit) -> None:
    onnx.checker.check_model(limit.model, full_check=True)
    try:
        found = list(run(load(limit.model), limit.feeds).values())
    except RUNTIME_ERRORS:
        return
    pairs = zip(found, limit.expected, strict=True)
    equal = all(np.array_equal(got, want, equal_nan=True) for got, want in pairs)
    assert not equal, "the limit is gone"


def test_exceptions_are_cases() -> None:
    names = {case.name for cases in groups().values() for case in cases}
    known = [name for limit in LIMITS for name in limit.cases]
    assert {*known, *WIDER} <= names
    assert len(known) == len(set(known))


def test_the_document_is_up_to_date() -> None:
    text = Path(document.PATH).read_text("utf-8")
    if f"the cases of JAX {jax.__version__}." not in text:
        pytest.skip("the document is about another release of JAX")
    rows = {
        name: tuple(map(int, numbers.split(" | ")))
        for name, numbers in re.findall(r"^\| (\w+) \| ((?:\d+ \| ){3}\d+) \|", text, re.M)
    }
    for group, cases in groups().items():
        total, ran, passed, failed = rows.pop(group)
        assert total == len(cases), group
        assert ran == passed + failed
        assert failed == sum(reason_of(case.name) is not None for case in cases), group
    assert rows.keys() == {"off", "on", "both"}
    assert rows["both"] == tuple(a + b for a, b in zip(rows["off"], rows["on"], strict=True))
