"""Replace Transpose(Transpose(x)) by one Transpose, or by x.

A Transpose that moves axes of size 1 only becomes a view. A Transpose behind a view that adds axes
of size 1 is moved in front of the view, where it may meet another one.

Does not apply where other nodes read the inner Transpose: both would stay.
"""

import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import maker, only_user, the_input
from jax2onnx.rewrite.analyses.shapes import view
from jax2onnx.rewrite.analyses.values import dims, permutation, rank, without_ones
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Merge a Transpose with the Transpose or view that it reads."""
    out, x = node.outputs[0], the_input(node)
    perm = permutation(out)
    assert perm is not None
    moved = [p for p in perm if dims(x)[p] != 1]
    if moved == sorted(moved):
        editor.replace(out, view(editor, node, x, dims(out), sizes=x))
        return True
    inner = permutation(x)
    if inner is not None:
        source = the_input(maker(x))
        both = [inner[p] for p in perm]
        if both == sorted(both):
            editor.replace(out, source)
            return True
        if only_user(x) is node:
            editor.replace(out, editor.before(node).Transpose(source, perm=both, like=out))
            return True
        return False
    return _before_view(editor, node, x, perm)


def _before_view(editor: Editor, node: ir.Node, x: ir.Value, perm: tuple[int, ...]) -> bool:
    """Permute ``x`` as it was before a view added or removed axes of size 1."""
    source, out = without_ones(x), node.outputs[0]
    if source is x:
        return False
    real = [a for a, d in enumerate(dims(x)) if d != 1]
    places = [a for a, d in enumerate(dims(source)) if d != 1]
    order = list(range(rank(source)))
    for place, axis in zip(places, (p for p in perm if p in real), strict=True):
        order[place] = places[real.index(axis)]
    permuted = editor.before(node).Transpose(
        source, perm=order, shape=tuple(dims(source)[a] for a in order)
    )
    if only_user(x) is node:
        editor.keep_tap(x, source)
    editor.replace(out, view(editor, node, permuted, dims(out), sizes=x))
    return True
