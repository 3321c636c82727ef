"""Replace ReduceSum(x) / count by ReduceMean(x), and Unsqueeze(Reduce(x)) by one reduction.

JAX has no primitive for means: ``jnp.mean`` traces to a sum and a division by the number of
elements. If an Unsqueeze adds the axes again that a reduction dropped, the reduction keeps them.

Does not apply

- where other nodes read the sum, as the graph would reduce twice;
- to a division by anything but the number of elements, which may be a product of symbolic sizes;
- to no elements, for which ONNX Runtime's mean is 0 and JAX's is NaN;
- to integers, whose mean ONNX truncates.
"""

import math

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.shapes import VIEWS
from jax2onnx.graph.sizes import Dim, product
from jax2onnx.rewrite.analyses.nodes import attribute, made_by, only_user, the_input
from jax2onnx.rewrite.analyses.values import axes, dims, is_float, kept, rank, scalar
from jax2onnx.rewrite.engine.editor import Editor

_REDUCTIONS = ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "ReduceProd")
_WIDE = frozenset((ir.DataType.FLOAT, ir.DataType.DOUBLE))
"""Types in which the number of elements is finite, whatever the sizes."""


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace a Div by a mean, or an Unsqueeze by a reduction that keeps its axes."""
    return _keep_axes(editor, node) if node.op_type == "Unsqueeze" else _mean(editor, node)


def _mean(editor: Editor, node: ir.Node) -> bool:
    total = the_input(node)
    reduction = made_by(total, "ReduceSum")
    if (
        reduction is None
        or only_user(total) is not node
        or not is_float(total)
        or total.dtype is None
    ):
        return False
    source, along = the_input(reduction), axes(reduction)
    if node.op_type != "Div" or not along:
        return False
    sizes = [dims(source)[a] for a in along]
    known = [s for s in sizes if isinstance(s, int)]
    out = node.outputs[0]
    if len(known) == len(sizes):
        count = np.asarray(math.prod(known), total.dtype.numpy())
        if scalar(node.inputs[1]) != float(count) or not 0 < count < math.inf:
            return False
    elif total.dtype not in _WIDE or _size(node.inputs[1]) != product(sizes):
        return False
    if dims(out) != dims(total):
        return False
    mean = editor.before(node).ReduceMean(
        source, reduction.inputs[1], keepdims=attribute(reduction, "keepdims", 1), like=out
    )
    editor.replace(out, mean)
    return True


def _size(value: ir.Value | None) -> Dim | None:
    """Return the size that ``value`` holds if it is computed as a product of sizes, else None."""
    number = scalar(value)
    if number is not None:
        return int(number) if number.is_integer() else None
    node = made_by(value, "Cast", "Mul", "Shape", *VIEWS)
    if node is None:
        return None
    if node.op_type == "Shape":
        start = attribute(node, "start", 0)
        return dims(the_input(node))[start] if attribute(node, "end") == start + 1 else None
    sizes = [_size(v) for v in node.inputs[: 2 if node.op_type == "Mul" else 1]]
    found = [s for s in sizes if s is not None]
    return product(found) if len(found) == len(sizes) else None


def _keep_axes(editor: Editor, node: ir.Node) -> bool:
    reduced, out = the_input(node), node.outputs[0]
    reduction = made_by(reduced, *_REDUCTIONS)
    if reduction is None or only_user(reduced) is not node or attribute(reduction, "keepdims", 1):
        return False
    along = axes(reduction)
    # Which of several axes of size 1 were added does not matter.
    if (
        along is None
        or not kept(out, the_input(reduction), along)
        or rank(out) != rank(the_input(reduction))
    ):
        return False
    op = editor.before(node)
    kept_axes = op(reduction.op_type, *reduction.inputs, keepdims=1, like=out)
    editor.replace(out, kept_axes)
    return True
