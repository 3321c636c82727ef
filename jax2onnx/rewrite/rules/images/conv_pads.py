"""Replace Conv(Pad(x), w) by a Conv that pads by itself.

Applies to zeros around the spatial axes, such as Keras's ``ZeroPadding2D`` in front of a
convolution. A Transpose between the two stays.

Does not apply

- to another value or mode, or where the batch or the channels are padded;
- to negative padding, or to amounts that are computed;
- where other nodes read the padded tensor.
"""

from collections.abc import Sequence

import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import attribute, made_by, maker, only_user, the_input
from jax2onnx.rewrite.analyses.values import dims, filled, integers, permutation, rank
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Let a Conv do what a Pad in front of it does."""
    x, out = the_input(node), node.outputs[0]
    perm = permutation(x)
    reader, padded = (node, x) if perm is None else (maker(x), the_input(maker(x)))
    amounts = _zeros_around(padded, perm or range(rank(x)))
    if amounts is None or only_user(padded) is not reader or only_user(x) is not node:
        return False
    op, source = editor.before(node), the_input(maker(padded))
    if perm is not None:
        source = op.Transpose(source, perm=perm, shape=tuple(dims(source)[a] for a in perm))
    attributes = {name: attribute(node, name) for name in node.attributes}
    own = attributes.get("pads") or [0] * len(amounts)
    attributes["pads"] = [a + b for a, b in zip(own, amounts, strict=True)]
    editor.replace(out, op.Conv(source, *node.inputs[1:], like=out, **attributes))
    return True


def _zeros_around(value: ir.Value, order: Sequence[int]) -> list[int] | None:
    """Return how many zeros a Pad puts around ``value``, as the pads of a Conv.

    Args:
        value: The padded tensor.
        order: Its axes in the order in which the Conv reads them.
    """
    pad = made_by(value, "Pad")
    if pad is None or attribute(pad, "mode", "constant") != "constant" or len(pad.inputs) > 3:
        return None
    if len(pad.inputs) == 3 and pad.inputs[2] is not None and filled(pad.inputs[2]) != 0.0:
        return None
    amounts = integers(pad.inputs[1])
    if amounts is None or min(amounts) < 0:
        return None
    low, high = ([amounts[start + a] for a in order] for start in (0, len(amounts) // 2))
    return None if any((*low[:2], *high[:2])) else [*low[2:], *high[2:]]
