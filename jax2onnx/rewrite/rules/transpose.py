"""A permutation of what was permuted is one permutation, or none.

A Transpose that moves nothing but axes of size 1 is a view; one of an Unsqueeze is made before it,
where it may meet another.

Does not apply to a permutation that others read too: both would stay.
"""

from __future__ import annotations

import onnx_ir as ir

from jax2onnx.rewrite.editor import Editor
from jax2onnx.rewrite.shapes import view
from jax2onnx.rewrite.values import axes, dims, made_by, only_user, permutation, the_input


def apply(editor: Editor, node: ir.Node) -> bool:
    """Merges a Transpose with the Transpose or Unsqueeze that it reads."""
    out, x = node.outputs[0], the_input(node)
    perm = permutation(out)
    assert perm is not None
    moved = [p for p in perm if dims(x)[p] != 1]
    if moved == sorted(moved):
        editor.replace(out, view(editor, node, x, dims(out), sizes=x))
        return True
    inner = permutation(x)
    if inner is not None:
        source = the_input(x.producer())  # type: ignore[arg-type]
        both = [inner[p] for p in perm]
        if both == sorted(both):
            editor.replace(out, source)
            return True
        if only_user(x) is node:
            editor.replace(out, editor.before(node).Transpose(source, perm=both, like=out))
            return True
        return False
    return _before_unsqueeze(editor, node, x, perm)


def _before_unsqueeze(editor: Editor, node: ir.Node, x: ir.Value, perm: tuple[int, ...]) -> bool:
    put_in = made_by(x, "Unsqueeze")
    ones = None if put_in is None else axes(put_in)
    if put_in is None or ones is None:
        return False
    source, out = the_input(put_in), node.outputs[0]
    places = [a for a in range(len(perm)) if a not in ones]
    order = [places.index(p) for p in perm if p not in ones]
    op = editor.before(node)
    permuted = op.Transpose(source, perm=order, shape=tuple(dims(source)[p] for p in order))
    new_ones = [i for i, p in enumerate(perm) if p in ones]
    editor.replace(out, op.Unsqueeze(permuted, new_ones, like=out))
    return True
