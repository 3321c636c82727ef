"""Replace Add(Expand(x), y) by Add(x, y), and likewise for all operators that broadcast.

An Expand that changes no size is removed in any case.

Does not apply where the operator's result would have another shape without the Expand.
"""

import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import BROADCASTING, the_input, users
from jax2onnx.rewrite.analyses.values import broadcast, dims
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Let elementwise operators read the operand of an Expand."""
    x, out = the_input(node), node.outputs[0]
    if dims(x) == dims(out):
        editor.replace(out, x)
        return True
    changed = False
    for user in list(users(out)):
        if user.op_type in BROADCASTING and user.domain == "":
            operands = [x if v is out else v for v in user.inputs]
            shape = broadcast(*(dims(v) for v in operands if v is not None))
            if shape == dims(user.outputs[0]):
                for index, v in enumerate(user.inputs):
                    if v is out:
                        user.replace_input_with(index, x)
                changed = True
    editor.erase(node)
    return changed
