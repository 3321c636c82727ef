"""Replace a stack along an axis that is merged with the next one by a Concat along that axis.

``jnp.stack([a, b], axis=-2).reshape(..., 2 * n)`` is ``jnp.concatenate([a, b], axis=-1)``: Keras
rotates the halves of queries and keys so.

Does not apply

- where the axis is merged with the one in front of it, which puts elements in turn;
- where other nodes read the stack;
- where an operand is not a value to which an axis of size 1 was added.
"""

import onnx_ir as ir

from jax2onnx.graph.shapes import VIEWS
from jax2onnx.graph.sizes import product
from jax2onnx.rewrite.analyses.nodes import attribute, made_by, only_user, the_input
from jax2onnx.rewrite.analyses.shapes import view
from jax2onnx.rewrite.analyses.values import dims, rank
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Join the operands of a Concat along the axis with which theirs is merged."""
    out, user = node.outputs[0], only_user(node.outputs[0])
    axis = attribute(node, "axis", 0) % rank(out)
    if user is None or user.op_type != "Reshape" or axis + 1 == rank(out):
        return False
    before, count, size = dims(out)[:axis], dims(out)[axis], dims(out)[axis + 1]
    joined = (*before, product((count, size)), *dims(out)[axis + 2 :])
    added = [made_by(v, *VIEWS) for v in node.inputs]
    parts = [the_input(each) for each in added if each is not None]
    shape = (*before, *dims(out)[axis + 1 :])
    if len(parts) != count or any(dims(part) != shape for part in parts):
        return False
    if [d for d in dims(user.outputs[0]) if d != 1] != [d for d in joined if d != 1]:
        return False
    whole = editor.before(user).Concat(*parts, axis=axis, shape=joined)
    editor.replace(user.outputs[0], view(editor, user, whole, dims(user.outputs[0])))
    return True
