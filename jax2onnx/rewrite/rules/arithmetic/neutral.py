"""Replace x + 0, x - 0, x * 1, x / 1, x and True, x or False by x.

Libraries leave such operations where an option is off: Flax's RMSNorm subtracts a mean of zeros,
and JAX's attention starts from a mask that hides nothing.

Does not apply where the constant gives the result another shape than that of x, or to parameters of
the model, whatever their value.
"""

import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import made_by, the_input
from jax2onnx.rewrite.analyses.values import dims, filled
from jax2onnx.rewrite.engine.editor import Editor

_NEUTRAL = {"Add": 0.0, "Sub": 0.0, "Mul": 1.0, "Div": 1.0, "And": 1.0, "Or": 0.0}
_ORDERED = frozenset(("Sub", "Div"))


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace the node by its other operand."""
    out, neutral = node.outputs[0], _NEUTRAL[node.op_type]
    for kept in (0,) if node.op_type in _ORDERED else (0, 1):
        if filled(node.inputs[1 - kept]) == neutral:
            x, other = the_input(node, kept), the_input(node, 1 - kept)
            if dims(x) == dims(out):
                editor.replace(out, x)
                return True
            if out.dtype == ir.DataType.BOOL and (shape := _shape(editor, other)) is not None:
                editor.replace(out, editor.before(node).Expand(x, shape, like=out))
                return True
    return False


def _shape(editor: Editor, value: ir.Value) -> ir.Value | None:
    """Return the shape that ``value`` holds as a constant or is expanded to."""
    expanded = made_by(value, "Expand")
    if expanded is not None:
        return expanded.inputs[1]
    known = all(isinstance(d, int) for d in dims(value))
    return editor.constant(list(dims(value))) if known else None
