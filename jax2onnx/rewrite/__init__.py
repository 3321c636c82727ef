"""Rewrite: recognise the operators that a trace decomposed, and put them together again.

A rule is one file of ``rules``. It recognises an expression around one of its trigger operators and
replaces it. The table in ``stages`` lists the rules in the order in which they are tried, and says
why. Matching is our own and not ``onnxscript.rewriter``, for reasons that the contributor's guide
to rewriting gives, with the measurements.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Unpack

import onnx_ir as ir

from jax2onnx.graph.prune import prune
from jax2onnx.options import Options, with_defaults
from jax2onnx.rewrite.engine.editor import Editor
from jax2onnx.rewrite.engine.sweep import Stage, Sweep
from jax2onnx.rewrite.stages import STAGES

__all__ = ["rewrite"]


def rewrite(
    model: ir.Model, only: Collection[str] | None = None, **options: Unpack[Options]
) -> None:
    """Rewrite a model in place, its function bodies and branches included.

    Args:
        model: A model that lowering built. Each of its values has a type and a shape.
        only: The names of the rules to try, as `stages` has them; by default all of them.
        options: Options of ``to_onnx``, of which ``prefer`` and ``fold_batch_norm`` choose rules.
    """
    options = with_defaults(options)
    prefer = options["prefer"]
    prune(model)
    opset = model.graph.opset_imports[""]
    bodies = [(f.graph, True) for f in model.functions.values()]
    chosen = {prefer, *(["fold_batch_norm"] if options["fold_batch_norm"] else [])}
    if prefer != "decomposed":
        chosen.add("norms")
    stages = STAGES if only is None else [_restricted(stage, only) for stage in STAGES]
    for body, function in [*bodies, (model.graph, False)]:
        editor = Editor(body, opset=opset, function=function, prefer=prefer)
        for stage in stages:
            editor.start_stage()
            Sweep(editor, stage, chosen).visit(body)


def _restricted(stage: Stage, rules: Collection[str]) -> Stage:
    return replace(stage, entries=tuple(each for each in stage.entries if each.rule in rules))
