"""Replace Max(x, 0) by Relu(x).

Does not apply to integers, or where 0 gives the result another shape than that of x.
"""

import onnx_ir as ir

from jax2onnx.rewrite.analyses.values import dims, is_float
from jax2onnx.rewrite.engine.editor import Editor
from jax2onnx.rewrite.engine.pattern import is_number


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace a Max with 0."""
    if len(node.inputs) != 2 or not is_float(node.outputs[0]):
        return False
    for x, other in (node.inputs, reversed(node.inputs)):
        if is_number(other, 0.0) and x is not None and dims(x) == dims(node.outputs[0]):
            editor.replace(node.outputs[0], editor.before(node).Relu(x))
            return True
    return False
