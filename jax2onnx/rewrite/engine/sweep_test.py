"""A sweep tries the rules of its stage at their triggers, and no others."""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx_ir as ir
import pytest

from jax2onnx.rewrite.engine.editor import Editor
from jax2onnx.rewrite.engine.sweep import Entry, Rule, Stage, Sweep
from jax2onnx.testing.sketch import Sketch


@dataclass(frozen=True)
class Recorded(Entry):
    """An entry whose rule records the nodes at which it is tried.

    Attributes:
        tried: The op types of these nodes.
        applies: The result of the rule.
    """

    tried: list[str] = field(default_factory=list)
    applies: bool = False

    def load(self) -> Rule:
        def rule(editor: Editor, node: ir.Node) -> bool:
            self.tried.append(node.op_type)
            return self.applies

        return rule


def sweep(sketch: Sketch, *entries: Entry, options: tuple[str, ...] = ()) -> None:
    stage = Stage("test", "It stands alone.", entries)
    Sweep(sketch.editor, stage, options).visit(sketch.editor.body)


def chain() -> Sketch:
    sketch = Sketch((2,))
    sketch.op.Exp(sketch.op.Neg(sketch.op.Abs(sketch.inputs[0])))
    return sketch


def test_rules_are_tried_at_their_triggers() -> None:
    entry = Recorded("a", ("Neg", "Abs"))
    sweep(chain(), entry)
    assert entry.tried == ["Abs", "Neg"]


def test_the_first_rule_that_applies_ends_the_visit_of_a_node() -> None:
    first, second, third = (
        Recorded(name, ("Neg",), applies=name == "b") for name in ("a", "b", "c")
    )
    sweep(chain(), first, second, third)
    assert [len(entry.tried) for entry in (first, second, third)] == [1, 1, 0]


@pytest.mark.parametrize(
    ("limits", "tried"),
    [
        ({"min_opset": 23}, True),
        ({"min_opset": 24}, False),
        ({"max_opset": 23}, True),
        ({"max_opset": 22}, False),
        ({"option": "readable"}, False),
    ],
)
def test_rules_of_other_opsets_and_options_are_skipped(limits: dict[str, int], tried: bool) -> None:
    entry = Recorded("a", ("Neg",), **limits)  # type: ignore[arg-type]
    sweep(chain(), entry)
    assert bool(entry.tried) is tried


def test_chosen_options() -> None:
    entry = Recorded("a", ("Neg",), option="readable")
    sweep(chain(), entry, options=("readable",))
    assert entry.tried == ["Neg"]


def test_a_primitive_can_be_a_trigger_instead_of_an_operator() -> None:
    sketch = chain()
    (node,) = (n for n in sketch.editor.body if n.op_type == "Neg")
    node.outputs[0].meta["stands_for"] = ("erfc", (sketch.inputs[0],), {})
    by_name, by_operator = Recorded("a", ("erfc",)), Recorded("b", ("Neg",))
    sweep(sketch, by_name, by_operator)
    assert (by_name.tried, by_operator.tried) == (["Neg"], [])


def test_branches_are_visited_and_other_domains_are_not() -> None:
    sketch = Sketch((2,))
    inner = ir.node("Neg", sketch.inputs[:1])
    body = ir.Graph([], inner.outputs, nodes=[inner], name="body")
    branch = ir.Node("", "If", sketch.inputs[:1], [ir.AttrGraph("then_branch", body)])
    foreign = ir.Node("custom", "Neg", sketch.inputs[:1])
    sketch.editor.body.insert_before(sketch.end, [branch, foreign])
    entry = Recorded("a", ("Neg",))
    sweep(sketch, entry)
    assert entry.tried == ["Neg"]
