"""Replace Where(c, x, y) by x or y where the condition is constant; Where(c, true, false) by c.

``jnp.var`` guards its division by Where(n > 0, variance, nan), and ``jnp.tril`` of a mask chooses
true.

Does not apply where the chosen side has another shape than the result.
"""

import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import the_input
from jax2onnx.rewrite.analyses.values import constant, dims, filled
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace a Where by the side that it chooses."""
    chosen, condition = the_input(node), constant(node.inputs[0])
    if condition is not None and (condition.all() or not condition.any()):
        chosen = the_input(node, 1 if condition.all() else 2)
    elif node.outputs[0].dtype != ir.DataType.BOOL or [*map(filled, node.inputs[1:])] != [1, 0]:
        return False
    if dims(chosen) != dims(node.outputs[0]):
        return False
    editor.replace(node.outputs[0], chosen)
    return True
