"""Replace ReduceMean(x) along all but two axes by GlobalAveragePool(x), with ``prefer="readable"``.

ReduceMean is faster (64 x 56 x 56: 0.03 ms instead of 0.05).

Does not apply to tensors of fewer than four axes, whose last axis more likely holds features, and
to float64, which ONNX Runtime's GlobalAveragePool does not take.
"""

import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import attribute, the_input
from jax2onnx.rewrite.analyses.values import axes, dims, is_single, rank
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace a ReduceMean."""
    x, out = the_input(node), node.outputs[0]
    along = tuple(range(2, rank(x)))
    if rank(x) < 4 or axes(node) != along or not is_single(x):
        return False
    op = editor.before(node)
    pooled = op.GlobalAveragePool(x, shape=(*dims(x)[:2], *(1 for _ in along)))
    if not attribute(node, "keepdims", 1):
        pooled = op.Squeeze(pooled, list(along), like=out)
    editor.replace(out, pooled)
    return True
