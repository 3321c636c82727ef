"""Replace Add(Conv(x, w), bias) by Conv(x, w, bias), and likewise for ConvTranspose.

A Transpose between the two is moved behind the convolution, as Flax keeps channels last.

Does not apply where other nodes read the result before the addition, or where the summand varies
along another axis than that of the channels.
"""

import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import attribute, only_user, the_input
from jax2onnx.rewrite.analyses.shapes import view
from jax2onnx.rewrite.analyses.values import aligned, dims, permutation, rank
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Give a convolution the bias that is added to its result."""
    if len(node.inputs) != 2:
        return False
    value, channels = node.outputs[0], 1
    user = only_user(value)
    moved = None if user is None or user.op_type != "Transpose" else user
    perm = None
    if moved is not None:
        value = moved.outputs[0]
        perm = permutation(value)
        channels = 1 if perm is None else perm.index(1)
        user = only_user(value)
    if user is None or user.op_type != "Add":
        return False
    summand, out = the_input(user, 1 if user.inputs[0] is value else 0), user.outputs[0]
    if not _varies_by_channel(summand, value, channels) or dims(out) != dims(value):
        return False
    bias = view(editor, user, summand, (dims(value)[channels],))
    op = editor.before(user)
    attributes = {name: attribute(node, name) for name in node.attributes}
    convolve = op.Conv if node.op_type == "Conv" else op.ConvTranspose
    result = convolve(the_input(node), the_input(node, 1), bias, like=node.outputs[0], **attributes)
    if perm is not None:
        result = op.Transpose(result, perm=perm, like=out)
    editor.replace(out, result)
    return True


def _varies_by_channel(summand: ir.Value, value: ir.Value, channels: int) -> bool:
    """Return whether ``summand`` varies along the channels of ``value`` and no other axis."""
    size = dims(value)[channels]
    sizes = enumerate(aligned(summand, rank(value)))
    return all(d == (size if axis == channels else 1) for axis, d in sizes)
