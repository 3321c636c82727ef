"""Replace m + Log(ReduceSum(Exp(x - m))) by ReduceLogSumExp(x), with ``prefer="readable"``.

Here m is the maximum of x along the same axes. Applies to ``jax.nn.logsumexp`` along any axes (197
rows of 3072: 2.5 ms instead of 1.1).

Does not apply to float16, which JAX sums as float32, with weights or ``where=``, or where other
nodes read the sum.
"""

import onnx_ir as ir

from jax2onnx.graph.shapes import VIEWS
from jax2onnx.rewrite.analyses.nodes import made_by, only_user, the_input
from jax2onnx.rewrite.analyses.values import axes, dims, kept, rank, without_ones
from jax2onnx.rewrite.engine.editor import Editor
from jax2onnx.rewrite.engine.pattern import Var, match, op

_peak = Var("peak")
_FINITE = op.Where(op.Equal(op.Sub(_peak, _peak), 0.0), Var("chosen"), 0.0)
_BETWEEN = frozenset(("Abs", "Log", *VIEWS))


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace the expression around an Exp."""
    shifted, reduction = made_by(node.inputs[0], "Sub"), only_user(node.outputs[0])
    if shifted is None or reduction is None or reduction.op_type != "ReduceSum":
        return False
    x, peak, along = the_input(shifted), the_input(shifted, 1), axes(reduction)
    finite = match(_FINITE, without_ones(peak))
    if finite is None or along is None or not kept(peak, x, along):
        return False
    if without_ones(finite["peak"]) is not without_ones(finite["chosen"]):
        return False
    value, logs = reduction.outputs[0], 0
    user = only_user(value)
    while user is not None and user.op_type in _BETWEEN:
        logs += user.op_type == "Log"
        value = user.outputs[0]
        user = only_user(value)
    if logs != 1 or user is None or user.op_type != "Add":
        return False
    other, out = the_input(user, 1 if user.inputs[0] is value else 0), user.outputs[0]
    keepdims = rank(out) == rank(x)
    left = [1 if a in along else d for a, d in enumerate(dims(x)) if keepdims or a not in along]
    if without_ones(other) is not without_ones(peak) or dims(out) != tuple(left):
        return False
    add = editor.before(user)
    editor.replace(out, add.ReduceLogSumExp(x, list(along), keepdims=int(keepdims), like=out))
    return True
