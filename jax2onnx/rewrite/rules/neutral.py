"""x + 0, x - 0, x * 1 and x / 1 are x.

Libraries write them for what is switched off: Flax's RMSNorm subtracts a mean of zeros.

Does not apply where the constant gives the result another shape, or to parameters of the model,
whatever their value.
"""

from __future__ import annotations

import onnx_ir as ir

from jax2onnx.rewrite.editor import Editor
from jax2onnx.rewrite.values import dims, filled, the_input

_NEUTRAL = {"Add": 0.0, "Sub": 0.0, "Mul": 1.0, "Div": 1.0}
_ORDERED = frozenset(("Sub", "Div"))


def apply(editor: Editor, node: ir.Node) -> bool:
    """Puts the operand that counts in the place of the node."""
    out, neutral = node.outputs[0], _NEUTRAL[node.op_type]
    for kept in (0,) if node.op_type in _ORDERED else (0, 1):
        if filled(node.inputs[1 - kept]) == neutral:
            x = the_input(node, kept)
            if dims(x) == dims(out):
                editor.replace(out, x)
                return True
    return False
