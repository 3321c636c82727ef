"""Replace Reshape(Reshape(x)) by one Reshape, or by x; likewise for Squeeze and Unsqueeze.

If a Squeeze behind a Transpose removes axes of size 1 that a Reshape added, they are not added.

Does not apply where the shape of the second Reshape would have to be computed and that of the first
has not been: x has other axes to copy sizes from.
"""

import onnx_ir as ir

from jax2onnx.graph.shapes import VIEWS
from jax2onnx.graph.sizes import Dim
from jax2onnx.rewrite.analyses.nodes import made_by, maker, only_user, the_input
from jax2onnx.rewrite.analyses.shapes import can_view, computed_view, view
from jax2onnx.rewrite.analyses.values import axes, constant, dims, permutation, rank, without_ones
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Let a view read what was reshaped to its operand."""
    out, x = node.outputs[0], the_input(node)
    if dims(out) == dims(x):
        editor.replace(out, x)
        return True
    inner = made_by(x, *VIEWS)
    if inner is None:
        return node.op_type == "Squeeze" and _before_permutation(editor, node, x)
    source, alone = the_input(inner), only_user(x) is node
    if can_view(source, dims(out)):
        merged = view(editor, node, x, dims(out))
    elif alone and constant(inner.inputs[1]) is None and _symbolic(out) <= _symbolic(x):
        merged = computed_view(editor, node, source, dims(out), sizes=x)
    else:
        return False
    if alone:
        editor.keep_tap(x, source)
    editor.replace(out, merged)
    return True


def _symbolic(value: ir.Value) -> set[Dim]:
    return {d for d in dims(value) if not isinstance(d, int)}


def _before_permutation(editor: Editor, node: ir.Node, x: ir.Value) -> bool:
    """Remove axes from what was reshaped and then permuted, if ``node`` alone reads it."""
    taken, order, out = axes(node), permutation(x), node.outputs[0]
    if order is None or taken is None or only_user(x) is not node:
        return False
    reshaped = the_input(maker(x))
    if made_by(reshaped, "Reshape") is None or without_ones(reshaped) is not reshaped:
        return False
    gone = {order[a] for a in taken}
    kept = [a for a in range(rank(reshaped)) if a not in gone]
    source = view(editor, node, reshaped, tuple(dims(reshaped)[a] for a in kept))
    turned = [kept.index(a) for a in order if a not in gone]
    editor.replace(out, editor.before(node).Transpose(source, perm=turned, like=out))
    return True
