"""A reshape of what was reshaped is one reshape, or none.

Does not apply where the shape of the second cannot be told from the first's input by a constant:
that would take computing it.
"""

from __future__ import annotations

import onnx_ir as ir

from jax2onnx.rewrite.editor import Editor
from jax2onnx.rewrite.shapes import can_view, view
from jax2onnx.rewrite.values import dims, made_by, the_input


def apply(editor: Editor, node: ir.Node) -> bool:
    """Lets a Reshape, Squeeze or Unsqueeze read what was reshaped to its input."""
    out, x = node.outputs[0], the_input(node)
    if dims(out) != dims(x):
        inner = made_by(x, "Reshape", "Squeeze", "Unsqueeze")
        if inner is None or not can_view(the_input(inner), dims(out)):
            return False
    editor.replace(out, view(editor, node, x, dims(out)))
    return True
