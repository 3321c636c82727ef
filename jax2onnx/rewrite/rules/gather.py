"""Gather by indices that JAX has made non-negative, and by a run of indices.

``x[i]`` of JAX adds the size of the axis to negative indices first; Gather does so itself. A Gather
of the constant indices n, n + 1... is a Slice.

Does not apply

- where the adjusted indices are also compared with the bounds, as for JAX's filling modes: the
  Gather then reads clamped ones;
- where what is added is not the size of the axis.
"""

from __future__ import annotations

import onnx_ir as ir

from jax2onnx.rewrite.editor import Editor
from jax2onnx.rewrite.pattern import Var, match, op
from jax2onnx.rewrite.values import (
    attribute,
    constant,
    dims,
    made_by,
    rank,
    scalar,
    the_input,
)

_i, _n = Var("i"), Var("n")
_ADJUSTED = op.Where(op.Less(_i, 0), op.Add(_i, _n), _i)


def apply(editor: Editor, node: ir.Node) -> bool:
    """Lets a Gather read the indices as they came, or makes a Slice of it."""
    data, indices = the_input(node), the_input(node, 1)
    axis = attribute(node, "axis", 0) % rank(data)
    found = match(_ADJUSTED, _uncast(indices))
    if found is not None and _is_size(found["n"], dims(data)[axis]):
        plain = found["i"]
        if dims(plain) != dims(indices):
            return False
        if plain.dtype != indices.dtype:
            plain = editor.before(node).Cast(plain, to=indices.dtype, like=indices)
        node.replace_input_with(1, plain)
        adjusted = indices.producer()
        if adjusted is not None:
            editor.erase(adjusted)
        return True
    return _run(editor, node, axis)


def _uncast(value: ir.Value) -> ir.Value:
    node = made_by(value, "Cast")
    return value if node is None else the_input(node)


def _is_size(value: ir.Value, size: int | str) -> bool:
    """Whether ``value`` is the size of an axis, a constant or read off a shape."""
    if isinstance(size, int):
        return scalar(value) == size
    while (node := made_by(value, "Cast", "Squeeze", "Reshape")) is not None:
        value = the_input(node)
    shape = made_by(value, "Shape")
    if shape is None or dims(value) != (1,):
        return False
    start = attribute(shape, "start", 0)
    return bool(dims(the_input(shape))[start] == size)


def _run(editor: Editor, node: ir.Node, axis: int) -> bool:
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
