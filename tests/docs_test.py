"""The pages of the documentation: their code runs and prints what they show."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import types
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import pytest

from jax2onnx.lower import lower
from jax2onnx.rewrite.engine.editor import Editor
from jax2onnx.rewrite.stages import STAGES
from jax2onnx.trace import trace

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*/*.md"))]
FENCE = re.compile(r"^```python\n(.*?)^```\n(?:\n+```text\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)


def blocks(page: Path) -> list[tuple[str, int, str | None]]:
    """Each block of Python, its line in the page, and what the page shows as its output."""
    text = page.read_text()
    return [
        (found[1], text.count("\n", 0, found.start(1)), found[2]) for found in FENCE.finditer(text)
    ]


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType(f"page_{page.stem}")  # classes look their module up
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for code, line, shown in blocks(page):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * line + code, page, "exec"), vars(module))  # noqa: S102  it is ours
        if shown is not None and printed.getvalue():
            assert printed.getvalue() == shown


# -- the guide to rewriting ----------------------------------------------------------------------

GUIDE = ROOT / "docs" / "contributing" / "rewrites.md"


@pytest.mark.parametrize(("block", "name"), [(0, "elu"), (1, "hard_swish")])
def test_rule_of_the_guide_is_the_rule_of_the_repository(block: int, name: str) -> None:
    assert (ROOT / f"jax2onnx/rewrite/rules/activations/{name}.py").read_text() == blocks(GUIDE)[
        block
    ][0]


def test_table_lists_every_rule_in_the_order_in_which_they_are_tried() -> None:
    lines = GUIDE.read_text().splitlines()
    rows = [line.split("|")[1:-1] for line in lines if line.startswith("| `")]
    entries = dict.fromkeys(entry for stage in STAGES for entry in stage)
    assert [(r[0].strip(" `"), r[2].strip(), r[3].strip()) for r in rows] == [
        (e.name.rpartition(".")[2], ", ".join(e.operators), str(e.opset or "")) for e in entries
    ]


def test_function_of_the_guide() -> None:
    names: dict[str, Any] = {}
    exec(blocks(GUIDE)[2][0], names)  # noqa: S102  the code that readers are told to write
    model = lower(trace(lambda x: jnp.sin(jnp.negative(-x)), [("B", 3)]), 23, "model")
    editor = Editor(model.graph, opset=23, function=False)
    inner, outer, _ = model.graph
    assert not names["negation_of_negation"](editor, inner)
    assert names["negation_of_negation"](editor, outer)
    assert [n.op_type for n in model.graph] == ["Sin"]
