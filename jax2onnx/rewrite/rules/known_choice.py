"""A Where whose condition is a constant is the side that it chooses.

``jnp.var`` guards its division with one: Where(n > 0, variance, nan).

Does not apply where the chosen side has another shape than the result.
"""

from __future__ import annotations

import onnx_ir as ir

from jax2onnx.rewrite.editor import Editor
from jax2onnx.rewrite.values import constant, dims, the_input


def apply(editor: Editor, node: ir.Node) -> bool:
    """Puts the chosen side in the place of a Where."""
    condition = constant(node.inputs[0])
    if condition is None or not (condition.all() or not condition.any()):
        return False
    chosen = the_input(node, 1 if condition.all() else 2)
    if dims(chosen) != dims(node.outputs[0]):
        return False
    editor.replace(node.outputs[0], chosen)
    return True
