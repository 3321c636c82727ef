"""A reshape of what was reshaped is one reshape, or none.

Does not apply where the shape of the second would have to be computed, and that of the first not:
what it was reshaped from has other axes to copy sizes from.
"""

from __future__ import annotations

import onnx_ir as ir

from jax2onnx.rewrite.editor import Editor
from jax2onnx.rewrite.shapes import can_view, computed_view, view
from jax2onnx.rewrite.values import constant, dims, made_by, only_user, the_input


def apply(editor: Editor, node: ir.Node) -> bool:
    """Lets a Reshape, Squeeze or Unsqueeze read what was reshaped to its input."""
    out, x = node.outputs[0], the_input(node)
    if dims(out) == dims(x):
        editor.replace(out, x)
        return True
    inner = made_by(x, "Reshape", "Squeeze", "Unsqueeze")
    if inner is None:
        return False
    source, alone = the_input(inner), only_user(x) is node
    if can_view(source, dims(out)):
        merged = view(editor, node, x, dims(out))
    elif alone and constant(inner.inputs[1]) is None and _names(out) <= _names(x):
        merged = computed_view(editor, node, source, dims(out), sizes=x)
    else:
        return False
    if alone:
        editor.keep_tap(x, source)
    editor.replace(out, merged)
    return True


def _names(value: ir.Value) -> set[str]:
    return {d for d in dims(value) if isinstance(d, str)}
