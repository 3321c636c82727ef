"""Replace Slices that cut up the whole of one axis by one Split.

Applies to fused queries, keys and values, for example.

Does not apply where the slices overlap or leave something out, have a step, or lie in different
graphs.
"""

import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import the_input, users
from jax2onnx.rewrite.analyses.values import dims, integers, rank
from jax2onnx.rewrite.engine.editor import Editor

_Part = tuple[int, int, int]
"""Axis, first index and end of a slice."""


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace all Slices of a tensor along an axis."""
    x, part = the_input(node), _part(node)
    if part is None:
        return False
    axis = part[0]
    parts: dict[tuple[int, int], list[ir.Node]] = {}
    for user in users(x):
        other = _part(user) if user.op_type == "Slice" and user.graph is node.graph else None
        if other is not None and other[0] == axis:
            parts.setdefault(other[1:], []).append(user)
    bounds = sorted(parts)
    size = dims(x)[axis]
    ends = [0, *(end for _, end in bounds)]
    if len(bounds) < 2 or ends[-1] != size or [b[0] for b in bounds] != ends[:-1]:
        return False
    outputs = editor.before(node).several(
        "Split",
        x,
        [end - first for first, end in bounds],
        axis=axis,
        shapes=[dims(parts[b][0].outputs[0]) for b in bounds],
    )
    for bound, output in zip(bounds, outputs, strict=True):
        for cut in parts[bound]:
            editor.replace(cut.outputs[0], output)
    return True


def _part(node: ir.Node) -> _Part | None:
    given = [integers(v) for v in node.inputs[1:]]
    if len(given) < 3 or any(g is None or len(g) != 1 for g in given):
        return None
    first, end, axis, *step = (g[0] for g in given if g is not None)
    x = the_input(node)
    axis %= rank(x)
    size = dims(x)[axis]
    if not isinstance(size, int) or step not in ([], [1]):
        return None
    first, end = (min(max(b + size if b < 0 else b, 0), size) for b in (first, end))
    return (axis, first, end) if first < end else None
