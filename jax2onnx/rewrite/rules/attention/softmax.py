"""Replace exp(x - max) / sum(exp(x - max)) by Softmax(x), and its logarithm by LogSoftmax(x).

The logarithm is (x - max) - log(sum(exp(x - max))). The maximum is that of x along the same axis,
or max(-inf, maximum) as ``jax.nn.softmax`` writes it.

Does not apply

- to several axes at once, or where numerator and denominator differ (``where=``);
- where nothing is subtracted before exp, which overflows where Softmax does not.
"""

import onnx_ir as ir

from jax2onnx.graph.sizes import Dims
from jax2onnx.rewrite.analyses.nodes import made_by, maker, the_input, users
from jax2onnx.rewrite.analyses.values import (
    axes,
    dims,
    kept,
    permutation,
    rank,
    scalar,
    without_ones,
)
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace the expression around an Exp."""
    shifted = the_input(node)
    found = _shifted(shifted)
    if found is None:
        return False
    x, axis = found
    powers = node.outputs[0]
    for reduction in users(powers):
        if reduction.op_type != "ReduceSum" or axes(reduction) != (axis,):
            continue
        for reader in _readers(reduction.outputs[0]):
            if (
                reader.op_type == "Div"
                and reader.inputs[0] is powers
                and kept(the_input(reader, 1), x, (axis,))
            ):
                return _replace(editor, reader, "Softmax", x, axis)
            if reader.op_type == "Log":
                for difference in _readers(reader.outputs[0]):
                    if (
                        difference.op_type == "Sub"
                        and difference.inputs[0] is shifted
                        and kept(the_input(difference, 1), x, (axis,))
                    ):
                        return _replace(editor, difference, "LogSoftmax", x, axis)
    return False


def _readers(value: ir.Value) -> list[ir.Node]:
    """Yield the nodes that read ``value``, or ``value`` with axes of size 1 added."""
    found = []
    for user in users(value):
        if user.op_type in ("Reshape", "Unsqueeze"):
            found += [u for u in users(user.outputs[0]) if without_ones(user.outputs[0]) is value]
        else:
            found.append(user)
    return found


def _shifted(value: ir.Value) -> tuple[ir.Value, int] | None:
    """Return the x and the axis such that ``value`` is x minus its maximum along the axis."""
    difference = made_by(value, "Sub")
    if difference is None:
        return None
    x, peak = the_input(difference), without_ones(the_input(difference, 1))
    perm = permutation(peak)
    if perm is not None:
        peak = the_input(maker(peak))
    bounded = made_by(peak, "Max")
    if bounded is not None:
        others = [v for v in bounded.inputs if scalar(v) != float("-inf")]
        if len(others) != 1 or others[0] is None:
            return None
        peak = without_ones(others[0])
    reduction = made_by(peak, "ReduceMax")
    along = None if reduction is None else axes(reduction)
    if reduction is None or along is None or len(along) != 1:
        return None
    reduced = the_input(reduction)
    if dims(x) != dims(value) == dims(reduced) and without_ones(reduced) is without_ones(x):
        x = reduced  # x without leading axes of size 1, which the maximum has
    axis = _same_axis(reduced, along[0], x, perm)
    if axis is None or not kept(the_input(difference, 1), x, (axis,)):
        return None
    return x, axis


def _same_axis(reduced: ir.Value, axis: int, x: ir.Value, perm: Dims | None) -> int | None:
    """Return the axis of x that is ``axis`` of ``reduced``, which was reduced along it.

    The two may differ in axes of size 1, or x may be a Transpose of ``reduced`` that permutes the
    other axes by ``perm``.
    """
    order = permutation(x)
    if perm is not None:
        if order is None or the_input(maker(x)) is not reduced:
            return None
        same = perm == tuple(a - (a > axis) for a in order if a != axis)
        return order.index(axis) if same else None
    if reduced is x:
        return axis
    last = axis == rank(reduced) - 1 and without_ones(reduced) is without_ones(x)
    return rank(x) - 1 if last and rank(x) and dims(x)[-1] == dims(reduced)[-1] else None


def _replace(editor: Editor, root: ir.Node, op_type: str, x: ir.Value, axis: int) -> bool:
    out = root.outputs[0]
    if dims(out) != dims(x):
        return False
    last = axis == rank(x) - 1
    op = editor.before(root)
    editor.replace(out, op(op_type, x, axis=-1 if last else axis, like=out))
    return True
