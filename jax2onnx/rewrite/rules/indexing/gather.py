"""Replace a Gather of constant indices n, n + 1, ... by a Slice.

Does not apply to indices that do not ascend by 1, or are negative.
"""

import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import attribute, the_input
from jax2onnx.rewrite.analyses.values import constant, rank
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace a Gather by a Slice."""
    axis = attribute(node, "axis", 0) % rank(the_input(node))
    indices = constant(node.inputs[1])
    if indices is None or indices.ndim != 1 or not indices.size:
        return False
    first = int(indices[0])
    if first < 0 or any(int(i) != first + n for n, i in enumerate(indices)):
        return False
    out = node.outputs[0]
    cut = editor.before(node).Slice(
        the_input(node), [first], [first + len(indices)], [axis], like=out
    )
    editor.replace(out, cut)
    return True
