"""Stages: rules that are tried together, in one visit of every node."""

import functools
import importlib
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeAlias

import onnx_ir as ir

from jax2onnx.graph.walk import WITH_BODIES, subgraphs
from jax2onnx.rewrite.analyses.values import stands_for
from jax2onnx.rewrite.engine.editor import Editor

Rule: TypeAlias = Callable[[Editor, ir.Node], bool]
"""Looks at the graph around a node; changes it and returns True, or leaves it and returns False."""


@dataclass(frozen=True)
class Entry:
    """A rule of a stage, by the name of its module.

    Attributes:
        rule: The module below ``jax2onnx.rewrite.rules``. It is imported when a graph first has
            one of the triggers, and its ``apply`` is the rule.
        triggers: Op types at whose nodes the rule is tried; pick the rarest ones of the pattern. A
            primitive of JAX that no ONNX operator stands for (``erfc``) is a trigger as well.
        min_opset: The first operator set that has the operators that the rule makes.
        max_opset: The last operator set for which the rule is worth it.
        option: The option of ``to_onnx`` that asks for the rule: ``readable``, ``fold_batch_norm``
            or ``norms`` (all but ``prefer="decomposed"``). Empty for rules that are always tried.
    """

    rule: str
    triggers: tuple[str, ...]
    min_opset: int = 0
    max_opset: int = sys.maxsize
    option: str = ""

    def load(self) -> Rule:
        """Import the module and return the rule."""
        return _load(self.rule)


@functools.cache  # A lookup by name takes as long as many rules take to see that they do not apply.
def _load(name: str) -> Rule:
    rule: Rule = importlib.import_module(f"jax2onnx.rewrite.rules.{name}").apply
    return rule


@dataclass(frozen=True)
class Stage:
    """Rules that are tried in the same sweep over the graph.

    Attributes:
        name: What the stage does, in a few words.
        why: Why it comes after the stages before it.
        entries: The rules, in the order in which they are tried at a node. The first one that
            applies ends the visit of the node.
    """

    name: str
    why: str
    entries: tuple[Entry, ...]


class Sweep:
    """One visit of every node of a graph, with the rules of one stage.

    The rules are looked up by op type, so the time grows with the nodes and not with the rules.

    Args:
        editor: The editor of the main graph or function.
        stage: The stage.
        options: The options that are chosen (see `Entry`).
    """

    def __init__(self, editor: Editor, stage: Stage, options: Collection[str]) -> None:
        self._editor = editor
        self._entries: dict[str, list[Entry]] = {}
        for entry in stage.entries:
            in_range = entry.min_opset <= editor.opset <= entry.max_opset
            if in_range and (not entry.option or entry.option in options):
                for trigger in entry.triggers:
                    self._entries.setdefault(trigger, []).append(entry)
        self._has_primitives = any(trigger.islower() for trigger in self._entries)

    def visit(self, graph: ir.Graph) -> None:
        """Try the rules at each node of a graph and of its branches.

        Nodes may be added and removed meanwhile: those that a rule adds behind the current node are
        visited, those in front of it are not.
        """
        for node in graph:
            trigger = op_type = node.op_type
            if self._has_primitives and (primitive := stands_for(node.outputs[0])) is not None:
                trigger = primitive.name
            for entry in self._entries.get(trigger, ()) if node.domain == "" else ():
                if entry.load()(self._editor, node):
                    break
            # A rule may have removed the node, with its branches.
            if (op_type in WITH_BODIES or node.domain) and node.graph is not None:
                for inner in subgraphs(node):
                    self.visit(inner)
