"""The code in the documents runs and prints what they show, and their links have targets."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import sys
import types
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import pytest

from jax2onnx.lower import lower
from jax2onnx.rewrite.engine.editor import Editor
from jax2onnx.rewrite.stages import STAGES
from jax2onnx.trace import trace

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / folder / "README.md" for folder in ("examples", "jax2onnx")),
]
FENCE = re.compile(
    r"^```python(?: title=\"([^\"]+)\")?\n(.*?)^```\n(?:\n+```text\n(.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)
CODE = re.compile(r"^```.*?^```$|^(?: {4}|\t)[^\n]*$|`[^`\n]*`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"")


class Block(NamedTuple):
    """A block of Python in a page.

    Attributes:
        code: The code.
        line: The line of the page before its first.
        file: The path in the title, ``python title="toy/model.py"``: the code of that file.
        shown: The output that the page shows below the block.
    """

    code: str
    line: int
    file: str | None
    shown: str | None


def blocks(page: Path) -> list[Block]:
    """Return the blocks of Python in a page."""
    text = page.read_text()
    return [
        Block(found[2], text.count("\n", 0, found.start(2)), found[1], found[3])
        for found in FENCE.finditer(text)
    ]


def run(page: Path) -> None:
    """Run the blocks of a page in one namespace, and compare the output with the page.

    A block with a title is written to that file, below the working directory. In the output on the
    page, ``...`` stands for any text.
    """
    module = types.ModuleType(f"page_{page.stem}")  # Classes look up their module.
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        patch.syspath_prepend(Path.cwd())
        for code, line, file, shown in blocks(page):
            if file is not None:
                Path(file).parent.mkdir(parents=True, exist_ok=True)
                Path(file).write_text(code)
                continue
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * line + code, page, "exec"), vars(module))  # noqa: S102  # our code
            same = doctest.OutputChecker().check_output(
                shown or "", printed.getvalue(), doctest.ELLIPSIS
            )
            if not same or (shown and not printed.getvalue()):
                pytest.fail(f"{page.name}:{line} printed\n{printed.getvalue()}")
    for name in set(sys.modules) - before:
        if (
            getattr(sys.modules[name], "__file__", None)
            and Path.cwd() in Path(str(sys.modules[name].__file__)).parents
        ):
            del sys.modules[name]  # This module is a file of the page.


@pytest.mark.parametrize(
    "page", [p for p in PAGES if blocks(p)], ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_the_code_of_a_page_runs_and_prints_the_shown_output(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(page)


@pytest.mark.parametrize(
    "text",
    [
        "```python\nx = 1\n```\n\n```text\n1\n```\n",
        "```python\nprint(2)\n```\n\n```text\n1\n```\n",
        "```python\nprint(1)\n```\n",
        "```python\nprint(end='')\n```\n\n```text\n...\n```\n",
    ],
)
def test_a_page_that_shows_other_output_fails(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(pytest.fail.Exception):
        run(page)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    headings = re.findall(r"^#+ +(.*)$", CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", text).strip().lower().replace(" ", "-") for text in headings}


def dead_links(page: Path) -> list[str]:
    """Return the links of a page to missing files and anchors. Web addresses are not checked."""
    dead = []
    for first, second in LINK.findall(CODE.sub("", page.read_text())):
        path, _, anchor = (first or second).partition("#")
        target = page.parent / path if path else page
        if re.match(r"https://", first or second):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(first or second)
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_have_targets(page: Path) -> None:
    assert not dead_links(page)


def test_dead_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A head\n[a](#a-head) [b](#b) [c](page.md#a-head) [d](none.md)\n    [e](f)\n")
    assert dead_links(page) == ["#b", "none.md"]


# -- the guide to rewriting ----------------------------------------------------------------------

GUIDE = ROOT / "docs" / "contributing" / "rewrites.md"


@pytest.mark.parametrize(("block", "name"), [(0, "elu"), (1, "hard_swish")])
def test_rule_of_the_guide_is_the_rule_of_the_repository(block: int, name: str) -> None:
    assert (ROOT / f"jax2onnx/rewrite/rules/activations/{name}.py").read_text() == blocks(GUIDE)[
        block
    ][0]


def test_table_lists_every_rule_in_the_order_of_application() -> None:
    lines = GUIDE.read_text().splitlines()
    rows = [line.split("|")[1:-1] for line in lines if line.startswith("| `")]
    entries = dict.fromkeys(entry for stage in STAGES for entry in stage.entries)
    assert [(r[0].strip(" `"), r[2].strip(), r[3].strip()) for r in rows] == [
        (e.rule.rpartition(".")[2], ", ".join(e.triggers), str(e.min_opset or "")) for e in entries
    ]


def test_function_of_the_guide() -> None:
    names: dict[str, Any] = {}
    exec(blocks(GUIDE)[2].code, names)  # noqa: S102  # This is the guide's code.
    model = lower(trace(lambda x: jnp.sin(jnp.negative(-x)), [("B", 3)]), 23, "model")
    editor = Editor(model.graph, opset=23, function=False)
    inner, outer, _ = model.graph
    assert not names["negation_of_negation"](editor, inner)
    assert names["negation_of_negation"](editor, outer)
    assert [n.op_type for n in model.graph] == ["Sin"]
