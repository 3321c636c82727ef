"""Shapes as tensors, and values seen in other shapes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.shapes import constant_target, ones_between, reshaping
from jax2onnx.graph.sizes import Dims, known
from jax2onnx.rewrite.analyses.values import constant, dims, made_by
from jax2onnx.rewrite.engine.editor import Editor


def size(editor: Editor, place: ir.Node, value: ir.Value, axis: int) -> ir.Value:
    """The size of an axis as an int64 vector of one element."""
    dim = dims(value)[axis]
    if isinstance(dim, int):
        return editor.constant([dim])
    stated = {"dtype": ir.DataType.INT64, "shape": (1,)}
    source = next((v for v in editor.body.inputs if dim in dims(v)), None)
    if source is None:
        return editor.before(place).Shape(value, start=axis, end=axis + 1, **stated)  # type: ignore[no-any-return]
    # Read off an input, it serves the whole body.
    start = dims(source).index(dim)
    return editor.shared(
        ("size", source, start),
        lambda: editor.at_start.Shape(source, start=start, end=start + 1, **stated),
    )


def vector(editor: Editor, place: ir.Node, parts: Sequence[ir.Value]) -> ir.Value:
    """Vectors of one int64 each as one vector."""
    numbers = [constant(part) for part in parts]
    known = [n for n in numbers if n is not None]
    if len(known) == len(parts):
        return editor.constant(np.concatenate(known))
    stated = {"dtype": ir.DataType.INT64, "shape": (len(parts),)}
    if all(map(editor.is_early, parts)):
        return editor.shared(
            ("vector", *parts), lambda: editor.at_start.Concat(*parts, axis=0, **stated)
        )
    return editor.before(place).Concat(*parts, axis=0, **stated)  # type: ignore[no-any-return]


def can_view(value: ir.Value, shape: Dims) -> bool:
    """Whether ``value`` can be reshaped to ``shape`` without computing the shape."""
    same = dims(value) == shape or _differ_by_ones(dims(value), shape)
    return same or constant_target(dims(value), shape) is not None


def view(
    editor: Editor,
    place: ir.Node,
    value: ir.Value,
    shape: Dims,
    *,
    sizes: ir.Value | None = None,
) -> ir.Value:
    """``value`` in another shape, by the first way that can say it.

    1. a constant of this shape, where ``value`` is one;
    2. ``value`` itself, or something that was reshaped to it, of this shape;
    3. Reshape, of the first thing that was reshaped to ``value``, to a constant: symbolic leading
       axes are copied (0), and one other may be told from the rest (-1);
    4. Reshape to a computed shape, its symbolic sizes read off ``sizes`` (or ``value``).
    """
    array, numbers = constant(value), known(shape)
    if array is not None and numbers is not None:
        return editor.constant(array.reshape(numbers))
    chosen, found = value, False
    source: ir.Value | None = value
    while source is not None:
        if dims(source) == shape:
            return source
        if constant_target(dims(source), shape) is not None:
            chosen, found = source, True
        elif not found and _differ_by_ones(dims(source), shape):
            chosen = source
        node = made_by(source, "Reshape", "Squeeze", "Unsqueeze")
        source = None if node is None else node.inputs[0]
    op_type, operand = reshaping(dims(chosen), shape)
    if operand is None:
        return computed_view(editor, place, value, shape, value if sizes is None else sizes)
    return getattr(editor.before(place), op_type)(chosen, operand, shape=shape)  # type: ignore[no-any-return]


def computed_view(
    editor: Editor, place: ir.Node, value: ir.Value, shape: Dims, sizes: ir.Value
) -> ir.Value:
    """``value`` in a shape whose symbolic sizes are those of axes of ``sizes``."""
    known = dims(sizes)
    parts = [
        editor.constant([d]) if isinstance(d, int) else size(editor, place, sizes, known.index(d))
        for d in shape
    ]
    target = vector(editor, place, parts)
    return editor.before(place).Reshape(value, target, shape=shape)  # type: ignore[no-any-return]


def _differ_by_ones(old: Dims, shape: Dims) -> bool:
    fewer, more = sorted((old, shape), key=len)
    return len(fewer) < len(more) and ones_between(fewer, more) is not None
