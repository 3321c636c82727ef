"""Replace Cast(Equal(indices, classes)) by OneHot(indices), with ``prefer="readable"``.

Applies to ``jax.nn.one_hot`` of integers that cannot be negative: the results of an ArgMax, and
unsigned integers (4,096 indices of 1,000 classes: 5.9 ms instead of 1.3).

Does not apply to other indices: OneHot counts negative ones from the end, JAX gives zeros for them.
"""

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.shapes import VIEWS
from jax2onnx.rewrite.analyses.nodes import made_by, the_input, users
from jax2onnx.rewrite.analyses.values import constant, dims, rank
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace a comparison with all classes, and the Cast of its result."""
    out, classes = node.outputs[0], constant(node.inputs[1])
    if classes is None or classes.dtype.kind not in "iu" or classes.size < 2:
        return False
    count = classes.size
    if count not in classes.shape or (classes.reshape(-1) != np.arange(count)).any():
        return False
    axis = rank(out) - classes.ndim + classes.shape.index(count)
    inserted = made_by(node.inputs[0], *VIEWS)
    indices = the_input(node if inserted is None else inserted)
    if dims(indices) != dims(out)[:axis] + dims(out)[axis + 1 :] or not _counts(indices):
        return False
    casts = [user for user in users(out) if user.op_type == "Cast"]
    for cast in casts:
        result = cast.outputs[0]
        values = editor.constant(np.arange(2), result.dtype)
        one_hot = editor.before(cast).OneHot(
            indices, np.asarray(count), values, axis=axis, like=result
        )
        editor.replace(result, one_hot)
    return bool(casts)


def _counts(value: ir.Value) -> bool:
    """Return whether integers are known not to be negative."""
    if value.dtype in (ir.DataType.UINT8, ir.DataType.UINT16):
        return True
    node = made_by(value, "ArgMax", "ArgMin", "Cast", "Where", *VIEWS)
    if node is None or node.op_type in ("ArgMax", "ArgMin"):
        return node is not None
    sources = node.inputs[1:] if node.op_type == "Where" else node.inputs[:1]
    return all(source is not None and _counts(source) for source in sources)
