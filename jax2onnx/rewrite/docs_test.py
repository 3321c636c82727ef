"""The guide to rewriting says what is so, and its code runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import onnx_ir as ir
import pytest

from jax2onnx.lower import lower
from jax2onnx.rewrite.editor import Editor
from jax2onnx.rewrite.rules import STAGES
from jax2onnx.trace import trace

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "rewrites.md").read_text()
EXPRESSION, PATTERN, FUNCTION = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize(("name", "text"), [("elu", EXPRESSION), ("hard_swish", PATTERN)])
def test_rule_of_the_guide_is_the_rule_of_the_repository(name: str, text: str) -> None:
    assert (ROOT / f"jax2onnx/rewrite/rules/{name}.py").read_text() == text


def test_table_lists_every_rule_in_the_order_in_which_they_are_tried() -> None:
    rows = [line.split("|")[1:-1] for line in GUIDE.splitlines() if line.startswith("| `")]
    entries = dict.fromkeys(entry for stage in STAGES for entry in stage)
    assert [(r[0].strip(" `"), r[2].strip(), r[3].strip()) for r in rows] == [
        (e.name, ", ".join(e.operators), str(e.opset or "")) for e in entries
    ]


def test_function_of_the_guide() -> None:
    names: dict[str, Any] = {}
    exec(FUNCTION, names)  # noqa: S102  the code that readers are told to write
    model = lower(trace(lambda x: jnp.sin(jnp.negative(-x)), [("B", 3)]), 23, "model")
    editor = Editor(model.graph, opset=23, function=False)
    inner, outer, _ = model.graph
    assert not names["negation_of_negation"](editor, inner)
    assert names["negation_of_negation"](editor, outer)
    assert [n.op_type for n in model.graph] == ["Sin"]
    assert isinstance(model, ir.Model)
