"""Tests of each mutator, and of the keys and the compilation of mutants."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from tools.mutants.__main__ import sample
from tools.mutants.mutators import mutants, mutated


def changes(source: str, mutator: str = "") -> list[str]:
    found = mutants("a.py", source)
    return [m.after for m in found if m.mutator == mutator or not mutator]


@pytest.mark.parametrize(
    ("mutator", "source", "expected"),
    [
        ("boundary", "y = a < b <= c", ["y = a <= b <= c", "y = a < b < c"]),
        ("comparison", "y = a < b", ["y = a >= b"]),
        ("comparison", "y = a == b", ["y = a != b"]),
        ("comparison", "y = a is not b", ["y = a is b"]),
        ("comparison", "y = a in b", ["y = a not in b"]),
        ("arithmetic", "y = a + b * c", ["y = a - b * c", "y = a + b // c"]),
        ("arithmetic", "y = a & ~b", ["y = a | ~b", "y = a & b"]),
        ("arithmetic", "y += 1", ["y -= 1"]),
        ("constant", "y = 3", ["y = 4", "y = 2"]),
        ("constant", "y = True", ["y = False"]),
        ("constant", "y = 0.5", ["y = 1.5", "y = -0.5"]),
        ("constant", "y = 1e9", ["y = 1000000000000.0", "y = 1000000.0"]),
        ("logic", "y = a and b", ["y = a or b", "y = b", "y = a"]),
        ("logic", "y = not a", ["y = a"]),
        ("condition", "if a:\n    b()", ["if True", "if False"]),
        ("condition", "y = b if a else c", ["y = b if True else c", "y = b if False else c"]),
        ("condition", "while a:\n    b()", ["while False"]),
        ("condition", "y = [a for a in b if a]", ["y = [a for a in b]"]),
        ("return", "def f():\n    return a", ["return None"]),
        ("return", "def f():\n    return None", []),
        ("arguments", "y = f(a, b, c)", ["y = f(b, a, c)", "y = f(a, c, b)"]),
        ("arguments", "y = op.Mul(a, b) + f(a, *b) + f(a, a)", []),
        ("statement", "f()", [""]),
        ("statement", "def f():\n    raise Error(1 + 1)", [""]),
        ("statement", "x = x + y", [""]),
        ("statement", "x = y", []),
    ],
)
def test_mutator(mutator: str, source: str, expected: list[str]) -> None:
    assert changes(source, mutator) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""Documentation of 3 < 4."""',
        "from a import b",
        "__all__ = [1]",
        "x: Literal[3]",
        "def f(x: Literal[3]) -> Literal[4]:\n    pass",
        "X: TypeAlias = A | B",
        "assert x is not None",
        "if TYPE_CHECKING:\n    f()",
        "y = cast(A | B, x)",
        "y = f'{x + 1}'",
        "@dataclass(frozen=True)\nclass A:\n    pass",
    ],
)
def test_no_mutants_of(source: str) -> None:
    assert changes(source) == []


def test_a_mutated_file_runs_with_the_change() -> None:
    source = "def f(x):\n    return x + 1\n"
    outcomes = []
    for mutant in mutants("a.py", source):
        names: dict[str, Any] = {}
        exec(compile(mutated(source, mutant.number), "a.py", "exec"), names)  # noqa: S102
        outcomes.append(names["f"](5))
    assert outcomes == [None, 4, 7, 5]


def test_every_mutant_compiles_and_differs() -> None:
    source = (
        "def f(x, *, y=2):\n"
        "    for i in range(3):\n"
        "        if x and not y:\n"
        "            continue\n"
        "        x = [z for z in g(x, y) if z > 0]\n"
        "    return {1: x}[1] if y else -x\n"
    )
    found = mutants("a.py", source)
    original = ast.unparse(ast.parse(source))
    texts = {ast.unparse(mutated(source, m.number)) for m in found}
    assert len(texts) == len(found)
    assert original not in texts
    for mutant in found:
        compile(mutated(source, mutant.number), "a.py", "exec")
    with pytest.raises(IndexError):
        mutated(source, len(found))


def test_a_key_does_not_depend_on_other_code() -> None:
    before = mutants("a.py", "def f(x):\n    return x < 1\n")
    after = mutants(
        "a.py", "import b\n\n\ndef g():\n    return 2\n\n\ndef f(x):\n    return x < 1\n"
    )
    assert {m.key for m in before} < {m.key for m in after}


def test_equal_changes_of_equal_statements_have_different_keys() -> None:
    found = mutants("a.py", "x += 1\nx += 1\n")
    assert len({m.key for m in found}) == len(found) == 8


def test_a_mutant_knows_its_lines_and_function() -> None:
    source = (
        "class A:\n    def f(self):\n        if (\n            a\n        ):\n            b(1)\n"
    )
    first, *_, last = mutants("a.py", source)
    assert (first.where, first.first, first.last) == ("A.f", 3, 4)
    assert (last.where, last.first, last.last) == ("A.f", 6, 6)


def test_a_sample_depends_on_the_seed_and_grows() -> None:
    found = mutants("a.py", "\n".join(f"x{i} = {i}" for i in range(40)))
    ten = sample(found, 10, 0)
    assert len(ten) == 10
    assert ten == sample(found, 10, 0)
    assert ten != sample(found, 10, 1)
    assert set(ten) < set(sample(found, 20, 0))
    assert sample(found, 0, 0) == found
