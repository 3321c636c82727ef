"""Replace the maximum of slices, to which ``reduce_window`` is lowered, by MaxPool(x).

Applies to ``lax.reduce_window`` with ``lax.max``, and so to the max pools of Flax and Equinox, with
channels last too (112 x 112 x 64, 3 x 3 by 2: 1.2 ms instead of 2.0; 0.3 where convolutions around
it have channels first). For windows that hold NaN, ONNX Runtime's MaxPool gives the maximum of the
other elements, and for windows of -inf the least finite number.

Does not apply

- to integers;
- to tensors of fewer than three axes, which are not images: there NaN stays NaN;
- to windows on more than three axes, or beside more than two others;
- to windows that may lie wholly in the padding, and to dilated operands.
"""

import onnx_ir as ir

from jax2onnx.rewrite.analyses.images import pool
from jax2onnx.rewrite.analyses.values import is_float, rank, stands_for
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace maxima of slices."""
    out = node.outputs[0]
    windows = stands_for(out)
    if windows is None or not is_float(out) or rank(out) < 3:
        return False
    pooled = pool(editor, node, "MaxPool", windows.operands[0], out, windows.params)
    if pooled is None:
        return False
    editor.replace(out, pooled)
    return True
