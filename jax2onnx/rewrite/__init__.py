"""Rewrite: operators that a decomposed trace no longer names are put together again.

A rule (one file of `rules`) recognises an expression around one of its operators and puts another
in its place. A sweep visits each node once and looks up the rules of its operator, so that its cost
grows with the nodes and not with the rules; a rule's module is imported when a graph first has its
operator. The matcher is our own: ``onnxscript.rewriter`` takes 0.15 s to import, which is a fifth
of what a whole first conversion may take, and on the 1,254 nodes of ViT-B/16 twelve of its rules
took 0.07 s, 0.33 s with operands in either order, where lowering took 0.05 s; the rules here take
0.03 s. Nor could its rules add a constant inside a function, or name what they make.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Unpack

import onnx_ir as ir

from jax2onnx.graph.prune import prune
from jax2onnx.options import Options, with_defaults
from jax2onnx.rewrite.analyses.values import stands_for
from jax2onnx.rewrite.engine.editor import Editor
from jax2onnx.rewrite.stages import STAGES, Entry, Rule

__all__ = ["rewrite"]

_WITH_BODIES = frozenset(("If", "Loop", "Scan"))


def rewrite(model: ir.Model, **options: Unpack[Options]) -> None:
    """Rewrite ``model`` in place, its function bodies and branches included.

    Args:
        model: the model, as ``jax2onnx.lower`` returns it.
        options: of ``to_onnx``; ``prefer`` and ``fold_batch_norm`` choose rules.
    """
    options = with_defaults(options)
    prefer = options["prefer"]
    prune(model)
    opset = model.graph.opset_imports[""]
    bodies = [(f.graph, True) for f in model.functions.values()]
    asked = {"", prefer, "fold_batch_norm" if options["fold_batch_norm"] else ""}
    for body, function in [*bodies, (model.graph, False)]:
        editor = Editor(body, opset=opset, function=function, prefer=prefer)
        for stage in STAGES:
            editor.tried.clear()
            _Sweep(editor, stage, asked).visit(body)


class _Sweep:
    """One visit of every node of a graph, with the rules of one stage."""

    def __init__(self, editor: Editor, stage: Sequence[Entry], asked: Collection[str]) -> None:
        self._editor = editor
        self._entries: dict[str, list[Entry]] = {}
        for entry in stage:
            if entry.asked in asked and entry.opset <= editor.opset <= entry.until:
                for operator in entry.operators:
                    self._entries.setdefault(operator, []).append(entry)
        self._rules: dict[str, list[Rule]] = {}
        self._by_primitive = any(name.islower() for name in self._entries)

    def visit(self, graph: ir.Graph) -> None:
        """Tries the rules on each node; nodes may come and go meanwhile."""
        for node in graph:
            name = node.op_type
            if self._by_primitive and (primitive := stands_for(node.outputs[0])) is not None:
                name = primitive.name
            if name in self._entries and node.domain == "":
                for rule in self._of(name):
                    if rule(self._editor, node):
                        break
            if node.op_type in _WITH_BODIES:
                for attribute in node.attributes.values():
                    if attribute.type == ir.AttributeType.GRAPH:
                        self.visit(attribute.as_graph())

    def _of(self, name: str) -> list[Rule]:
        rules = self._rules.get(name)
        if rules is None:
            rules = self._rules[name] = [e.load() for e in self._entries[name]]
        return rules
